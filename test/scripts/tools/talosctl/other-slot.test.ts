import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { linesByNode } from '../../../../scripts/tools/talosctl/lines-by-node.ts'
import { readOtherSlot } from '../../../../scripts/tools/talosctl/other-slot.ts'
import type { OtherSlot } from '../../../../workflows/model/observation.ts'

const test = suite('what waits in the other slot')

const image = 'factory.talos.dev/metal-installer/3765:v1.13.9'
const other = 'factory.talos.dev/metal-installer/3765:v1.13.8'
const at = '2026-11-29T01:46:24.577Z'
const long = 'x'.repeat(1000)

/** How a node of a release logs an installation, as its talosctl prints it. */
type Words = {
  boot: string
  start: (image?: string) => string
  progress: string
  done: string
  failed: (code: number) => string
  /** whether its lines tell when, and with which code it failed */
  at?: string
  code: (code: number) => number | undefined
}

const go = '2026/11/29 01:46:24.577361'
const zap = '2026-11-29T01:46:24.577Z'
const colour = '\x1b[34mINFO\x1b[0m'
const spelt = String.raw`\x1b[34mINFO\x1b[0m`
const warning = String.raw`\x1b[33mWARN\x1b[0m`
const fields = (more: string) => `{"component": "machined", "service": "lifecycle", ${more}}`

const lifecycle = (time: string): Omit<Words, 'at'> => ({
  boot: `${time}[talos] machined logger initialized`,
  start: (which = image) => `${time}[talos] starting upgrade: installer_image=${which}, disk=/dev/sda`,
  progress: `${colour} upgrade progress {"service": "lifecycle", "message": "running pre-flight checks"}`,
  done: `${time}[talos] upgrade completed successfully: exit_code=0`,
  failed: (code) => `${time}[talos] upgrade failed: exit_code=${code}`,
  code: (code) => code,
})

const zapped = (level: string, warn: string): Words => ({
  boot: `${go} [talos] machined logger initialized`,
  start: (which = image) =>
    `${zap} ${level} starting upgrade ${fields(`"installer_image": "${which}", "disk": "/dev/sda"`)}`,
  progress: `${zap} ${level} upgrade progress ${fields('"message": "upgrade completed {\\"exit_code\\": 0}"')}`,
  done: `${zap} ${level} upgrade completed ${fields('"exit_code": 0')}`,
  failed: (code) => `${zap} ${warn} upgrade failed ${fields(`"exit_code": ${code}`)}`,
  at,
  code: (code) => code,
})

const worded: readonly [release: string, version: string, words: Words][] = [
  [
    '1.12',
    'v1.12.9',
    {
      boot: `${go} [talos] machined logger initialized`,
      start: (which = image) => `${go} [talos] task upgrade (1/1): performing upgrade via "${which}"`,
      progress: 'running pre-flight checks',
      done: `${go} [talos] task upgrade (1/1): upgrade successful`,
      failed: (code) => `${go} [talos] task upgrade (1/1): failed: task "upgrade" failed: exit code ${code}`,
      at,
      code: () => undefined,
    },
  ],
  ['1.13', 'v1.13.5', { ...lifecycle(`${go} `), at }],
  ['1.13 without times', 'v1.13.9', lifecycle('')],
  ['1.14 through talosctl 1.13', 'v1.14.0', zapped(colour, '\x1b[33mWARN\x1b[0m')],
  ['1.14 through talosctl 1.14', 'v1.14.1', zapped(spelt, warning)],
  ['a candidate of 1.14', 'v1.14.0-rc.1', zapped(spelt, warning)],
]

for (const [release, version, { boot, start, progress, done, failed, code, ...words }] of worded) {
  const since = words.at === undefined ? {} : { at: words.at }
  const exit = code(1) === undefined ? {} : { exitCode: 1 }
  const installed = { state: 'installed', image, ...since } as const
  const wrapped = { state: 'unknown', why: 'wrapped' } as const
  const rows: [what: string, log: string[], slot: OtherSlot, installerRuns?: boolean][] = [
    ['nothing happened', [boot, 'phase …'], { state: 'quiet' }],
    ['it is being written', [boot, start(), progress], { state: 'installing', image }],
    ['it is being written, and the installer was seen', [boot, start()], { state: 'installing', image }, true],
    ['it was cut off', [boot, start(), progress], { state: 'cut-off', image }, false],
    ['it was written', [boot, start(), progress, done, 'more'], installed],
    ['it failed', [boot, start(), failed(1)], { state: 'install-failed', image, ...exit }],
    ['it failed, then it was written', [boot, start(other), failed(1), start(), done], installed],
    ['it failed twice', [start(other), failed(1), start(), failed(1)], { state: 'install-failed', image, ...exit }],
    ['a finished one was written over', [start(other), done, start(), done], installed],
    [
      'a finished one is in doubt after a failure',
      [boot, start(other), done, start(), failed(1)],
      { state: 'cut-off', image, over: other },
    ],
    [
      'a finished one is in doubt after one that was cut off',
      [boot, start(other), done, start(), progress],
      { state: 'cut-off', image, over: other },
      false,
    ],
    ['a cut-off one was followed by another', [start(other), progress, start(), done], installed],
    ['ends without a start do not count', [boot, done, failed(1)], { state: 'quiet' }],
    ['words of it in another line do not count', [boot, `audit: ${start()}`, `audit: ${done}`], { state: 'quiet' }],
    ['the log was not read', [], { state: 'unknown', why: 'unread' }],
    ['the log lost its beginning', Array(1000).fill(long), wrapped],
    ['the log is long and begins with the boot', [boot, ...Array(1000).fill(long)], { state: 'quiet' }],
    ['the log lost its beginning, and tells all the same', [...Array(1000).fill(long), start(), done], installed],
    ['it failed, and what was lost may have been finished', [...Array(1000).fill(long), start(), failed(1)], wrapped],
  ]
  for (const [what, log, slot, installerRuns] of rows)
    test(`${release}: ${what}`, () => assert.equal(readOtherSlot(log, version, installerRuns), slot))
}

test('codes of the installer are told from 1.13 on', () => {
  for (const [release, version, { boot, start, failed, code }] of worded) {
    const slot = readOtherSlot([boot, start(), failed(3)], version, undefined)
    assert.is(slot.state === 'install-failed' ? slot.exitCode : 'no', code(3), release)
  }
})

test('of a release whose words nobody knows nothing is known, whatever the log says', () => {
  const [, , { boot, start, done }] = worded[1] as (typeof worded)[number]
  for (const version of ['v1.11.9', 'v1.15.0', 'v1.15.0-alpha.1', 'v2.0.0', ''])
    assert.equal(
      readOtherSlot([boot, start(), done], version, undefined),
      { state: 'unknown', why: 'wording' },
      version,
    )
  // the first alphas of a release still have the words of the one before
  assert.is(readOtherSlot([boot, start(), done], 'v1.14.0-alpha.0', undefined).state, 'installed')
})

test('lines go to the nodes that they came from', () => {
  const lines = linesByNode(
    ['10.0.0.1', '10.0.0.11', 'fd00::1'],
    '10.0.0.1: a: b\n10.0.0.11: c\nrest\nfd00::1: d\n10.0.0.1: e\n',
  )
  assert.equal(
    [...lines],
    [
      ['10.0.0.1', ['a: b', 'e']],
      ['10.0.0.11', ['c', 'rest']],
      ['fd00::1', ['d']],
    ],
  )
})

test.run()
