import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { skipSelector } from '../../../workflows/model/skip-selector.ts'

const rows: [text: string, evicts: string, skips: string[]][] = [
  ['app=x', 'app!=x', ['x']],
  ['app == x', 'app!=x', ['x']],
  ['app!=x', 'app=x', ['y', 'none']],
  ['app', '!app', ['x', 'y']],
  ['!app', 'app', ['none']],
  ['app in (x, z)', 'app notin (x, z)', ['x']],
  ['app notin (x, y)', 'app in (x, y)', ['none']],
  ['longhorn.io/component=x', 'longhorn.io/component!=x', []],
]
const pods: [name: string, labels: Record<string, string>][] = [
  ['x', { app: 'x' }],
  ['y', { app: 'y' }],
  ['none', {}],
]

for (const [text, evicts, skips] of rows)
  test(`"${text}" leaves the pods that kubectl does not select with "${evicts}"`, () => {
    const selector = skipSelector(text)
    assert.is(selector?.evicts, evicts)
    assert.equal(
      pods.filter(([, labels]) => selector?.skips(labels)).map(([name]) => name),
      skips,
    )
  })

for (const text of ['', 'app=x,tier=y', 'app in x', 'a b', '=x'])
  test(`"${text}" is not one requirement`, () => assert.is(skipSelector(text), undefined))

test.run()
