import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import type { EtcdMember, NodeFacts, NodeObservation } from '../../../workflows/model/observation.ts'
import { lifeOf } from '../../../workflows/plan/life.ts'
import type { Life } from '../../../workflows/plan/plan.ts'

const facts = (more: Partial<NodeFacts>): NodeObservation =>
  ({ reachable: true, role: 'controlplane', stage: 'running', ready: false, unmet: ['x'], ...more }) as NodeObservation
const silent = (reason: 'node-in-maintenance' | 'node-unreachable'): NodeObservation => ({
  reachable: false,
  failure: failure(reason),
})
const member = [{ node: 'a', id: '1' }] as EtcdMember[]

const rows: [sentence: string, seen: NodeObservation | undefined, members: EtcdMember[], life: Life | undefined][] = [
  ['that was not observed', undefined, [], undefined],
  ['that does not answer', silent('node-unreachable'), member, undefined],
  ['that waits for a configuration', silent('node-in-maintenance'), member, 'maintenance'],
  ['that is being reset', facts({ stage: 'resetting' }), member, 'reset'],
  ['on its way down', facts({ stage: 'rebooting' }), member, undefined],
  ['that is running and ready', facts({ ready: true }), member, 'ready'],
  ['whose member is listed, and that is not ready', facts({}), member, 'bootstrapped'],
  ['that boots', facts({ stage: 'booting', ready: true }), member, 'bootstrapped'],
  ['that waits for etcd to be bootstrapped', facts({ stage: 'booting' }), [], 'configured'],
  ['that is a worker whose kubelet has a name', facts({ role: 'worker', nodename: 'a' }), [], 'bootstrapped'],
  ['that is a worker and never joined', facts({ role: 'worker' }), [], 'configured'],
]

for (const [sentence, seen, members, life] of rows)
  test(`a node ${sentence} is ${life ?? 'in no state of life'}`, () => assert.is(lifeOf('a', seen, { members }), life))

test.run()
