import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createActor, fromPromise, toPromise } from 'xstate'
import { type Diagnosis, type NodeStepInput, nodeMachine, type RebootOutput } from '../../../workflows/machines/node.ts'
import { type Failure, type FailureReason, failure } from '../../../workflows/model/failure.ts'
import type { Verdict } from '../../../workflows/model/verdict.ts'
import { judge } from '../../../workflows/plan/judge.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

/** The verdict on a node whose pull fails for that reason. */
async function afterPull(reason: FailureReason): Promise<Verdict | undefined> {
  const pull = fromPromise<void, NodeStepInput>(() => Promise.reject(failure(reason)))
  const machine = nodeMachine.provide({ actors: { 'pull-image': pull } })
  const actor = createActor(machine, { input: { plan: nodePlan('a', 'worker'), goal: 'pull' } }).start()
  return (await toPromise(actor)).verdict
}

/** The verdict on a node that runs on, and whose reboot failed. */
async function afterReboot(why: Failure): Promise<Verdict | undefined> {
  const plan = nodePlan('a', 'worker', { work: { kind: 'restart', mode: 'default' } })
  const { version, bootId } = plan.before
  const seen = { version, bootId, stage: 'running', ready: true, unmet: [], extensions: [], schematic: 's' }
  const machine = nodeMachine.provide({
    actors: {
      reboot: fromPromise<RebootOutput, NodeStepInput>(() => Promise.reject(why)),
      diagnose: fromPromise<Diagnosis, NodeStepInput>(async ({ input }) =>
        judge(plan, input, { ...seen, otherSlot: { state: 'quiet' } }),
      ),
    },
  })
  return (await toPromise(createActor(machine, { input: { plan, goal: 'turn' } }).start())).verdict
}

test('a node that was asked to reboot and runs on is interrupted, and one that was asked nothing is unchanged', async () => {
  const why = failure('node-unreachable', { step: 'reboot' })
  assert.is(await afterReboot(why), 'interrupted')
  assert.is(await afterReboot({ ...why, unasked: true }), 'unchanged')
})

const rows: [reason: FailureReason, verdict: Verdict][] = [
  ['image-pull-failed', 'unchanged'],
  ['image-pull-timed-out', 'unchanged'],
  ['image-refused', 'refused'],
]

for (const [reason, verdict] of rows)
  test(`a node whose pull ends as ${reason} is ${verdict}`, async () => assert.is(await afterPull(reason), verdict))

test.run()
