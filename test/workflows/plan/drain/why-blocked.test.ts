import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubernetesFacts } from '../../../../workflows/model/kubernetes.ts'
import { whyBlocked } from '../../../../workflows/plan/drain/why-blocked.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { budget, kubeNode, kubePod, kubernetesFacts } from '../../../support/kubernetes-facts.ts'

const nodes = [kubeNode('a', '10.0.0.1'), kubeNode('b', '10.0.0.2')]
const [one, two] = [kubePod('web-1', 'a'), kubePod('web-2', 'b')]
const policy = { ...defaultOperations.drain, liftedBudgets: ['shop/*'] }
const violates = "Cannot evict pod as it would violate the pod's disruption budget."
const denied = 'admission webhook "cleaner.example" denied the request: The pod will be moved by its operator'
const webhooks = 'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations'
const describe = 'kubectl -n shop describe pod web-1'

type Row = {
  cause: string
  facts: Partial<KubernetesFacts>
  said?: Record<string, string>
  ofAll?: string
  detail: string
  hint: string
}

const rows: Row[] = [
  {
    cause: 'a budget, of whom, and its numbers, although somebody was expected to lift it',
    facts: { pods: [one, two], budgets: [budget('web', 0)] },
    said: { 'shop/web-1': violates },
    detail:
      'the PodDisruptionBudget shop/web allows no disruption of shop/web-1 now (ReplicaSet web: 2 of 2 healthy, 2 needed)',
    hint: 'kubectl -n shop get pdb web',
  },
  {
    cause: 'the policy of a budget that counts an unwell pod',
    facts: {
      pods: [{ ...one, ready: false, trouble: 'CrashLoopBackOff' }],
      budgets: [budget('web', 0, { currentHealthy: 1 })],
    },
    said: { 'shop/web-1': violates },
    detail:
      'the PodDisruptionBudget shop/web allows no disruption of shop/web-1 now (ReplicaSet web: 1 of 2 healthy, 2 needed); the pod is unwell itself (CrashLoopBackOff), and unhealthyPodEvictionPolicy: AlwaysAllow would let it go',
    hint: `kubectl -n shop patch pdb web --type=merge -p '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}'`,
  },
  {
    cause: 'a webhook, in its words, before a budget that was never asked',
    facts: { pods: [one, two], budgets: [budget('web', 0)] },
    said: { 'shop/web-1': denied },
    detail: 'the webhook cleaner.example refuses the eviction ("The pod will be moved by its operator") of shop/web-1',
    hint: webhooks,
  },
  {
    cause: 'a webhook that nobody answers for',
    facts: { pods: [one, two] },
    said: { 'shop/web-1': 'Internal error occurred: failed calling webhook "x.example": connection refused' },
    detail: 'the webhook x.example can not be asked (connection refused) about the eviction of shop/web-1',
    hint: webhooks,
  },
  {
    cause: 'a grace that is longer than the drain',
    facts: { pods: [{ ...one, terminating: true, graceMs: 3_600_000 }, two] },
    detail: 'shop/web-1 was evicted and may take 1h to end, longer than drain.timeout (10m)',
    hint: 'the same command again # with more time: drain.timeout 61m in operations.yaml',
  },
  {
    cause: 'a pod that does not end',
    facts: { pods: [{ ...one, terminating: true }, two] },
    detail: 'shop/web-1 was evicted and does not end within drain.timeout (10m)',
    hint: describe,
  },
  {
    cause: 'a finalizer',
    facts: { pods: [{ ...one, terminating: true, finalizers: ['x/y'] }, two] },
    detail: 'shop/web-1 was evicted and waits until somebody has taken away x/y',
    hint: describe,
  },
  {
    cause: 'what kubectl says of a pod of which nothing else is known',
    facts: { pods: [one, two] },
    said: { 'shop/web-1': 'pods "web-1" is forbidden: not now' },
    detail: 'shop/web-1 is still there, since pods "web-1" is forbidden: not now',
    hint: describe,
  },
  {
    cause: 'what kubectl says of the whole drain',
    facts: { pods: [one, two] },
    ofAll: 'the API server did not answer in time',
    detail: 'shop/web-1 is still there, since the API server did not answer in time',
    hint: describe,
  },
  {
    cause: 'the pods with a reason first, then the others',
    facts: { pods: [one, kubePod('db-1', 'a'), two], budgets: [budget('db', 0)] },
    detail:
      'the PodDisruptionBudget shop/db allows no disruption of shop/db-1 now (ReplicaSet db: 2 of 2 healthy, 2 needed); shop/web-1 is still there, and kubectl did not say why',
    hint: 'kubectl -n shop get pdb db',
  },
]

for (const { cause, facts, said = {}, ofAll, detail, hint } of rows)
  test(`a drain that was given up names ${cause}`, () => {
    const heard = { ofPods: new Map(Object.entries(said)), ...(ofAll === undefined ? {} : { ofAll }) }
    assert.equal(whyBlocked(kubernetesFacts(nodes, facts), 'a', policy, heard), {
      reason: 'drain-blocked',
      detail,
      hint,
    })
  })

test.run()
