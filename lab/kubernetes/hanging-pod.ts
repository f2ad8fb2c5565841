import { callEtcd } from '../etcd-gateway.ts'
import type { ApiClient, KubeObject } from './api-client.ts'
import { ignoreMissing } from './ignore-missing.ts'

const pods = '/api/v1/namespaces/default/pods'
const finalizer = 'lab/nobody-takes-this-away'
const daySeconds = 24 * 3600
const putWithinMs = 5_000

const nameOn = (node: string): string => `lab-hangs-on-${node}`

/**
 * Lets a pod hang in Terminating on the node since yesterday. The API server would say that it was deleted just now, so
 * that it is told where it keeps its objects.
 */
export async function hangPod(api: ApiClient, etcdUrls: readonly string[], node: string): Promise<void> {
  const name = nameOn(node)
  const pod = await api.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, finalizers: [finalizer] },
    spec: { nodeName: node, tolerations: [{ operator: 'Exists' }], containers: [{ name: 'app', image: 'app:1' }] },
  })
  const { resourceVersion: _, ...metadata } = pod.metadata
  const deletionTimestamp = new Date(Date.now() - daySeconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const dead: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    ...pod,
    // its kubelet has ended it: with any grace left the API server would count from its next word on
    metadata: { ...metadata, deletionTimestamp, deletionGracePeriodSeconds: 0 },
  }
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const entry = { key: base64(`/registry/pods/default/${name}`), value: base64(JSON.stringify(dead)) }
  await anyOf(etcdUrls, (url) => callEtcd(url, '/v3/kv/put', entry, { timeoutMs: putWithinMs }))
}

/** Takes away what held it up; it goes by itself then. */
export async function letPodGo(api: ApiClient, node: string): Promise<void> {
  await api.patch(`${pods}/${nameOn(node)}`, { metadata: { finalizers: null } }).catch(ignoreMissing)
}

/** The first of them that it works with; fails as the last one did. */
async function anyOf<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  let why: unknown
  for (const item of items) {
    try {
      await work(item)
      return
    } catch (error) {
      why = error
    }
  }
  throw why
}
