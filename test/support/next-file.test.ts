import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nextFile } from './next-file.ts'

const [a, b, c] = ['test/a.lab.test.ts', 'test/b.lab.full.test.ts', 'test/c.lab.test.ts']
const [x, y, z] = ['test/x.test.ts', 'test/y.full.test.ts', 'test/z.test.ts']

const rows: [name: string, queue: string[], running: string[], next: string | undefined][] = [
  ['the first of all', [a, x], [], a],
  ['a second lab', [b, x], [a], b],
  ['beside two labs what starts none', [c, x], [a, b], x],
  ['beside two labs a second one that starts none', [c, x], [a, b, y], x],
  ['no third lab', [c], [a, b], undefined],
  ['no third one that starts none', [z], [x, y], undefined],
  ['a lab beside two that start none', [z, c], [x, y], c],
  ['no fifth file', [c, z], [a, b, x, y], undefined],
  ['nothing of nothing', [], [a], undefined],
]

for (const [name, queue, running, next] of rows) test(`starts ${name}`, () => assert.is(nextFile(queue, running), next))

test.run()
