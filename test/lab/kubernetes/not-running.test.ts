import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubeObject } from '../../../lab/kubernetes/api-client.ts'
import { notRunning } from '../../../lab/kubernetes/not-running.ts'

const metadata = { name: 'web', namespace: 'default' }
const Ready = { conditions: [{ type: 'Ready', status: 'True' }] }
const pod = (name: string, labels: Record<string, string>): KubeObject => ({
  metadata: { name, namespace: 'default', labels },
  status: Ready,
})
const pods = [pod('web-1', { app: 'web' }), pod('web-2', { app: 'web' }), pod('db-0', { app: 'db' })]
const budget = (status: object, selector: object = { matchLabels: { app: 'web' } }): KubeObject => ({
  kind: 'PodDisruptionBudget',
  metadata,
  spec: { minAvailable: 1, selector },
  status,
})
const deployment = (readyReplicas: number): KubeObject => ({
  kind: 'Deployment',
  metadata,
  spec: { replicas: 2 },
  status: { readyReplicas },
})
const looked = { conditions: [{ type: 'DisruptionAllowed', reason: 'SufficientPods', status: 'True' }] }
const failed = { conditions: [{ type: 'DisruptionAllowed', reason: 'SyncFailed', status: 'False' }] }

const rows: [what: string, object: KubeObject, runs: boolean][] = [
  ['a Deployment of which a replica is not ready', deployment(1), false],
  ['a Deployment of which all are', deployment(2), true],
  ['a budget at which no controller has looked', budget({}), false],
  ['a budget that counted when fewer pods were ready', budget({ ...looked, currentHealthy: 1 }), false],
  ['a budget that has counted them', budget({ ...looked, currentHealthy: 2 }), true],
  ['a budget that can not be counted', budget(failed), true],
  ['a budget over what nobody here selects', budget(looked, { matchExpressions: [] }), true],
]

for (const [what, object, runs] of rows)
  test(`${what} ${runs ? 'runs' : 'does not run yet'}`, async () => {
    const items = (path: string) => (path.endsWith('/pods') ? pods : [object])
    const api = { get: async <Answer>(path: string) => ({ items: items(path) }) as Answer }
    assert.equal(await notRunning(api, [object]), runs ? [] : [`${object.kind} default/web`])
  })

test.run()
