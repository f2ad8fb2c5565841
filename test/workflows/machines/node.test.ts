import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createActor, fromPromise, toPromise } from 'xstate'
import { type NodeStepInput, nodeMachine } from '../../../workflows/machines/node.ts'
import { type FailureReason, failure } from '../../../workflows/model/failure.ts'
import type { Verdict } from '../../../workflows/model/verdict.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

/** The verdict on a node whose pull fails for that reason. */
async function afterPull(reason: FailureReason): Promise<Verdict | undefined> {
  const pull = fromPromise<void, NodeStepInput>(() => Promise.reject(failure(reason)))
  const machine = nodeMachine.provide({ actors: { 'pull-image': pull } })
  const actor = createActor(machine, { input: { plan: nodePlan('a', 'worker'), goal: 'pull' } }).start()
  return (await toPromise(actor)).verdict
}

const rows: [reason: FailureReason, verdict: Verdict][] = [
  ['image-pull-failed', 'unchanged'],
  ['image-pull-timed-out', 'unchanged'],
  ['image-refused', 'refused'],
]

for (const [reason, verdict] of rows)
  test(`a node whose pull ends as ${reason} is ${verdict}`, async () => assert.is(await afterPull(reason), verdict))

test.run()
