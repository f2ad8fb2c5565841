import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { linesByNode } from '../../../../scripts/tools/talosctl/lines-by-node.ts'
import { readInstalledAt, readOtherSlot } from '../../../../scripts/tools/talosctl/other-slot.ts'
import type { OtherSlot } from '../../../../workflows/model/observation.ts'

const test = suite('what waits in the other slot')

const boot = '[talos] machined logger initialized'
const image = 'factory.talos.dev/metal-installer/3765:v1.13.9'
const start = (which = image) => `[talos] starting upgrade: installer_image=${which}, disk=/dev/sda`
const progress = '[talos] upgrade progress {"service": "lifecycle", "message": "running pre-flight checks"}'
const done = '[talos] upgrade completed successfully: exit_code=0'
const failed = '[talos] upgrade failed: exit_code=1'
const long = 'x'.repeat(1000)

const rows: [what: string, log: string[], slot: OtherSlot, installerRuns?: boolean][] = [
  ['nothing happened', [boot, 'phase …'], { state: 'quiet' }],
  ['it is being written', [boot, start(), progress], { state: 'installing', image }],
  ['it is being written, and the installer was seen', [boot, start()], { state: 'installing', image }, true],
  ['it was cut off', [boot, start(), progress], { state: 'cut-off', image }, false],
  ['it was written', [boot, start(), progress, done, 'more'], { state: 'installed', image }],
  ['it failed', [boot, start(), failed], { state: 'install-failed', image, exitCode: 1 }],
  ['it failed, then it was written', [start('other:v1'), failed, start(), done], { state: 'installed', image }],
  ['it failed twice', [start('other:v1'), failed, start(), failed], { state: 'install-failed', image, exitCode: 1 }],
  ['a finished one was written over', [start('other:v1'), done, start(), done], { state: 'installed', image }],
  [
    'a finished one is in doubt after a failure',
    [start('other:v1'), done, start(), failed],
    { state: 'cut-off', image },
  ],
  [
    'a cut-off one was followed by another',
    [start('other:v1'), progress, start(), done],
    { state: 'installed', image },
  ],
  ['ends without a start do not count', [boot, done, failed], { state: 'quiet' }],
  ['the log is not there', [], { state: 'unknown' }],
  ['the log lost its beginning', Array(1000).fill(long), { state: 'unknown' }],
  ['the log is long and begins with the boot', [boot, ...Array(1000).fill(long)], { state: 'quiet' }],
  [
    'the log lost its beginning, and tells all the same',
    [...Array(1000).fill(long), start(), done],
    { state: 'installed', image },
  ],
]

for (const [what, log, slot, installerRuns] of rows)
  test(what, () => assert.equal(readOtherSlot(log, installerRuns), slot))

test('dmesg tells when the last installation ended', () => {
  const line = (at: string, text: string) => `user: warning: [${at}]: [talos] ${text}`
  assert.is(
    readInstalledAt([
      line('2026-11-21T00:00:01.5Z', 'upgrade completed successfully: exit_code=0'),
      line('2026-11-21T00:39:29.263Z', 'upgrade completed successfully: exit_code=0'),
      line('2026-11-21T00:40:00Z', 'else'),
    ]),
    '2026-11-21T00:39:29.263Z',
  )
  assert.is(readInstalledAt([]), undefined)
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
