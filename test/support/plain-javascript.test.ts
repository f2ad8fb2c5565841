import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { originalPlaces } from './original-places.ts'
import { nodeOptionsOf, writePlainJavaScript } from './plain-javascript.ts'

type Context = { root: string; run(javascript: boolean): Ran }
type Ran = { code: number | null; stdout: string; stderr: string }

const modules = join(import.meta.dirname, '../../node_modules')
const entry = `import { places } from './places.ts'
type Word = string
const words: Word[] = process.argv.slice(1)
console.log(words, places, import.meta.dirname, process.execArgv)
if (words[1] === 'wait') await new Promise(() => {})
interface Unused { a: 1 }
throw new Error('as meant')
`

const test = suite<Context>('plain JavaScript')
test.before(async (context) => {
  const root = mkdtempSync(join(tmpdir(), 'plain-javascript-'))
  for (const name of ['workflows', 'scripts', 'lab', 'test']) mkdirSync(join(root, name))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'workflows/places.ts'), 'export const places = [import.meta.filename, import.meta.url]')
  writeFileSync(join(root, 'workflows/entry.ts'), entry)
  writeFileSync(join(root, 'workflows/before.ts'), "process.argv.push('loaded before')")
  const folder = join(root, 'javascript')
  await writePlainJavaScript(root, folder)
  context.root = root
  context.run = (javascript) => start(root, ['failing'], javascript ? nodeOptionsOf(folder) : '')
})
test.after(({ root }) => rmSync(root, { recursive: true, force: true }))

function start(root: string, words: readonly string[], options: string, before: readonly string[] = []): Ran {
  const argv = ['--import', 'tsx', ...before, join(root, 'workflows/entry.ts'), ...words]
  const env = { ...process.env, NODE_OPTIONS: options }
  // tsx is found from there
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    cwd: join(modules, '..'),
    env,
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

test('a file runs from it as by tsx, and believes to be where its source is', ({ run }) => {
  const [bySources, byJavaScript] = [run(false), run(true)]
  assert.match(bySources.stdout, 'failing')
  assert.equal([byJavaScript.code, byJavaScript.stdout], [bySources.code, bySources.stdout])
})

test('what is loaded before a file is loaded before it', ({ root }) => {
  const before = ['--import', join(root, 'workflows/before.ts')]
  const { stdout, stderr } = start(root, ['failing'], nodeOptionsOf(join(root, 'javascript')), before)
  assert.match(stdout, 'loaded before')
  assert.match(stderr, 'entry.js:')
})

test('a stack trace tells the places in the sources', ({ root, run }) => {
  const { stderr } = run(true)
  assert.match(stderr, 'entry.js:')
  assert.match(originalPlaces(stderr), `${join(root, 'workflows/entry.ts')}:7:`)
})

test('a file that waits for what never comes ends with the code of node', ({ root }) => {
  const options = nodeOptionsOf(join(root, 'javascript'))
  assert.equal([start(root, ['wait'], options).code, start(root, ['wait'], '').code], [13, 13])
})

test('a file of which there is no JavaScript runs by tsx', ({ root }) => {
  const options = nodeOptionsOf(join(root, 'javascript'))
  const file = join(root, 'javascript/workflows/entry.js')
  rmSync(file)
  const { code, stderr } = start(root, ['failing'], options)
  assert.is(code, 1)
  assert.match(stderr, 'entry.ts:7:')
})

test.run()
