import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { objectsOf, readKubernetes, readNode, readPod } from '../../../../scripts/tools/kubectl/read-kubernetes.ts'

const list = (...items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
const read = (...items: object[]) => readKubernetes(objectsOf(list(...items)) ?? [])

test('sorts a list of mixed kinds, and knows of which claim an attachment is', () => {
  const seen = read(
    { kind: 'Node', metadata: { name: 'a' } },
    { kind: 'Pod', metadata: { namespace: 'shop', name: 'web-1' } },
    {
      kind: 'PodDisruptionBudget',
      metadata: { namespace: 'shop', name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      status: { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
    },
    { kind: 'PersistentVolume', metadata: { name: 'pvc-1' }, spec: { claimRef: { namespace: 'shop', name: 'data' } } },
    {
      kind: 'VolumeAttachment',
      metadata: { name: 'csi-1' },
      spec: { nodeName: 'a', source: { persistentVolumeName: 'pvc-1' } },
      status: { attached: true },
    },
    {
      kind: 'VolumeAttachment',
      metadata: { name: 'csi-2' },
      spec: { nodeName: 'a', source: { persistentVolumeName: 'pvc-gone' } },
      status: { attached: true },
    },
    {
      kind: 'VolumeAttachment',
      metadata: { name: 'csi-3' },
      spec: { nodeName: 'a', source: { inlineVolumeSpec: {} } },
      status: { attached: true },
    },
  )
  assert.equal([seen.nodes.length, seen.pods.length], [1, 1])
  assert.equal(seen.budgets, [
    {
      namespace: 'shop',
      name: 'web',
      selector: { matchLabels: { app: 'web' } },
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
      unhealthyPodEviction: 'AlwaysAllow',
    },
  ])
  assert.equal(seen.attachments, [
    { name: 'csi-1', node: 'a', volume: 'pvc-1', attached: true, claim: 'shop/data' },
    { name: 'csi-2', node: 'a', volume: 'pvc-gone', attached: true, orphaned: true },
    { name: 'csi-3', node: 'a', volume: '', attached: true },
  ])
})

test('reads of a node whether it takes pods, and whose its cordon is', () => {
  const node = (annotation?: string, whose = 'talos-workflows/cordon', manager = 'talos-workflows') =>
    readNode({
      kind: 'Node',
      metadata: {
        name: 'a',
        resourceVersion: '7',
        labels: { x: 'y' },
        ...(annotation === undefined ? {} : { annotations: { [whose]: annotation } }),
        managedFields: [
          { manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:status': {} }, subresource: 'status' },
          { manager: 'kube-controller-manager', operation: 'Update', fieldsV1: { 'f:spec': { 'f:taints': {} } } },
          { manager, operation: 'Update', fieldsV1: { 'f:metadata': {}, 'f:spec': { 'f:unschedulable': {} } } },
        ],
      },
      spec: { unschedulable: true, taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] },
      status: {
        addresses: [
          { type: 'Hostname', address: 'a' },
          { type: 'InternalIP', address: '10.0.0.1' },
        ],
        conditions: [{ type: 'Ready', status: 'False', message: 'node is shutting down' }],
        nodeInfo: { kubeletVersion: 'v1.36.1', bootID: 'b' },
      },
    })
  const mark = { run: 'r', at: '2026-01-01T00:00:00.000Z' }
  assert.equal(node(JSON.stringify(mark)), {
    name: 'a',
    addresses: ['10.0.0.1'],
    ready: false,
    detail: 'node is shutting down',
    unschedulable: true,
    mark,
    kubeletVersion: 'v1.36.1',
    bootId: 'b',
    labels: { x: 'y' },
    taints: [{ key: 'k', effect: 'NoSchedule', value: 'v' }],
    resourceVersion: '7',
  })
  const later = node(JSON.stringify(mark), 'talos-workflows/cordon', 'kubectl')
  assert.equal([later.mark, later.staleMark], [undefined, { ...mark, beside: 'foreign-cordon' }])
  for (const damaged of ['', '{', 'null', '[]', '{"run":1,"at":"x"}'])
    assert.is(node(damaged).mark, undefined, `${damaged} is nobody's mark`)
  assert.is(node('true', 'talos.dev/cordoned').cordonedByTalos, true)
  assert.is(node().cordonedByTalos, undefined)
  const install = { bootId: 'b', image: 'x:v1', run: 'r' }
  assert.equal(node(JSON.stringify(install), 'talos-workflows/install').install, install)
  const hashed = { ...install, configuration: 'h' }
  assert.equal(node(JSON.stringify(hashed), 'talos-workflows/install').install, hashed)
  // whoever wrote it, what counts is the boot
  assert.is(node('{"bootId":"b"}', 'talos-workflows/install').install?.bootId, 'b')
  for (const damaged of ['', '{', 'null', '[]', '{"bootId":1}'])
    assert.is(node(damaged, 'talos-workflows/install').install, undefined, damaged)
})

test('reads of a pod what a drain asks about', () => {
  const pod = readPod({
    metadata: {
      namespace: 'shop',
      name: 'db-0',
      uid: 'u',
      deletionTimestamp: '2026-01-01T00:00:00Z',
      finalizers: ['x/y'],
      annotations: { 'kubernetes.io/config.mirror': 'h' },
      ownerReferences: [
        { kind: 'Other', name: 'o' },
        { kind: 'StatefulSet', name: 'db', controller: true },
      ],
    },
    spec: {
      nodeName: 'a',
      terminationGracePeriodSeconds: 3600,
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }],
      volumes: [
        { name: 'cache', emptyDir: {} },
        { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } },
      ],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
          },
        },
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } },
          ],
        },
      },
    },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [
        { state: { running: {} } },
        { state: { waiting: { reason: 'ContainerCreating' } } },
        { state: { waiting: { reason: 'CrashLoopBackOff' } } },
      ],
    },
  })
  assert.equal(pod, {
    namespace: 'shop',
    name: 'db-0',
    uid: 'u',
    node: 'a',
    phase: 'Running',
    ready: true,
    trouble: 'CrashLoopBackOff',
    terminating: true,
    endsAt: '2026-01-01T00:00:00Z',
    graceMs: 3_600_000,
    finalizers: ['x/y'],
    labels: {},
    controller: { kind: 'StatefulSet', name: 'db' },
    mirror: true,
    emptyDirs: ['cache'],
    claims: ['data-db-0'],
    placement: {
      nodeSelector: { disk: 'ssd' },
      affinity: [[{ key: 'zone', operator: 'In', values: ['a'] }]],
      tolerations: [{ key: 'k', operator: 'Exists' }],
      apart: [
        {
          topologyKey: 'kubernetes.io/hostname',
          selector: { matchLabels: { app: 'db' } },
          namespaces: ['shop'],
        },
      ],
    },
  })
})

test('reads whatever comes without a word of complaint', () => {
  const kinds = ['Node', 'Pod', 'PodDisruptionBudget', 'VolumeAttachment', 'PersistentVolume', 'Secret']
  const object = fc.record(
    { kind: fc.constantFrom(...kinds), metadata: fc.jsonValue(), spec: fc.jsonValue(), status: fc.jsonValue() },
    { requiredKeys: ['kind'] },
  )
  fc.assert(
    fc.property(fc.array(object, { maxLength: 4 }), (items) => {
      const seen = readKubernetes(objectsOf(list(...items)) ?? [])
      assert.is(seen.nodes.length, items.filter(({ kind }) => kind === 'Node').length)
    }),
  )
  for (const text of ['', 'error', '[]', '{}', '7']) assert.is(objectsOf(text), undefined)
})

test.run()
