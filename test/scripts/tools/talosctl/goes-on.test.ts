import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { endOf, goesOn } from '../../../../scripts/tools/talosctl/goes-on.ts'

const line = (at: number, text = 'said'): string => `2026/11/29 01:46:24.${100_000 + at} [talos] ${text}`
const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => line(from + at))
const zap = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `2026-11-29T01:46:24.${100 + from + at}Z INFO said {}`)

const rows: [what: string, before: string[], now: string[], is: boolean][] = [
  ['a log that nothing was added to', lines(0, 5), lines(0, 5), true],
  ['a log that went on', lines(0, 50), lines(0, 80), true],
  ['one that has lost its beginning since', lines(0, 50), lines(40, 80), true],
  ['one in the words of 1.14', zap(0, 5), zap(0, 9), true],
  ['one that has lost what is known of it', lines(0, 50), lines(50, 80), false],
  ['one that begins anew, at the same times but for one', lines(0, 4), [line(0), line(1), line(9), line(3)], false],
  ['one that is empty', lines(0, 50), [], false],
  ['one of which too little is known', lines(0, 2), lines(0, 9), false],
  ['one that tells no times', ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd'], false],
  [
    'one that tells whole seconds',
    Array(5).fill('2026/11/29 01:46:24 [talos] said'),
    Array(9).fill('2026/11/29 01:46:24 [talos] said'),
    false,
  ],
]

for (const [what, before, now, is] of rows)
  test(`${is ? 'knows' : 'does not know'} ${what}`, () => assert.is(goesOn(endOf(before), now), is))

test.run()
