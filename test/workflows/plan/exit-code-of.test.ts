import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailureReason, failure } from '../../../workflows/model/failure.ts'
import { exitCodeOf, promised } from '../../../workflows/plan/exit-code-of.ts'

const row = (sentence: string, reasons: FailureReason[], expected: number, changed = false) =>
  test(sentence, () =>
    assert.is(
      exitCodeOf(
        reasons.map((r) => failure(r)),
        changed,
      ),
      expected,
    ),
  )

row('is 0 when nothing failed', [], 0)
row('is 0 when nothing failed and something was changed', [], 0, true)
row('is 75 when an image could not be pulled, before any change', ['image-pull-failed', 'image-pull-timed-out'], 75)
row('is 69 when a node does not answer at the start', ['node-unreachable'], 69)
for (const reason of ['journal-unwritable', 'file-unusable', 'output-unwritable', 'kubeconfig-unusable'] as const) {
  row(`is 69 when the disk refuses before anything was changed (${reason})`, [reason], 69)
  row(`is 1 when the disk refuses after it (${reason})`, [reason], 1, true)
}
row('is 1 when generated files are in place in part', ['output-unfinished'], 1)
row('is 1 when a node stops to answer after something was changed', ['node-unreachable'], 1, true)
row('is 1 when a pull fails after a machine booted, or an installation was begun', ['image-pull-failed'], 1, true)
row('is 1 when the lock is lost after an installation was begun', ['lock-lost'], 1, true)
row('is 75 when the lock is lost before', ['lock-lost'], 75)
row('is 77 when a gate refuses, also after something was changed', ['etcd-alarm'], 77, true)
row('is 1 when something failed beside a refusal', ['etcd-alarm', 'rolled-back'], 1, true)
row('is 77 when refused by one reason and unreachable by another', ['etcd-quorum', 'node-unreachable'], 77)

test('takes back only what says that nothing was changed', () => {
  assert.equal(
    ([0, 1, 2, 65, 69, 75, 77, 130] as const).map((code) => promised(code, true)),
    [0, 1, 2, 65, 1, 1, 77, 130],
  )
})

test.run()
