import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command } from '../../../scripts/run.ts'
import { type KubeTarget, kubectlCommands } from '../../../scripts/tools/kubectl.ts'

const test = suite('kubectl command lines')

const at: KubeTarget = { kubeconfig: 'k', server: 'https://10.0.0.1:6443', cacheDir: 'c', timeoutMs: 60_000 }
const to = 'kubectl --kubeconfig=k --server=https://10.0.0.1:6443 --cache-dir=c'
const line = `${to} --request-timeout=10s`
const guard = { resourceVersion: '7' }
const mark = { run: 'r', at: 't' }
const by = '--field-manager=talos-workflows'
const shows = '--output=jsonpath={.spec.unschedulable}'
const asked = new Set<PropertyKey>()
const c = new Proxy(kubectlCommands, {
  get: (commands, name, self) => asked.add(name) && Reflect.get(commands, name, self),
})

const policy = {
  ...{ enabled: true, timeoutMs: 90_000, detachMs: 1, force: false, disableEviction: false },
  ...({ liftedBudgets: [], whenBlocked: 'refuse', whenGivenUp: 'stop' } as const),
}
const drain = (
  how: Partial<typeof policy>,
  more: { podSelector?: string; hanging?: boolean; timeoutMs?: number } = {},
) => c.drain(at, 'a', { policy: { ...policy, ...how }, timeoutMs: 90_000, ...more })
const drained = 'drain a --ignore-daemonsets --delete-emptydir-data'
const gate = { name: 'web', resource: 'deployment/web', for: 'condition=Available', timeoutMs: 1 }
const lease = { metadata: { name: 'talos-workflows' } }

type Row = [what: string, command: Command, is: string, how?: 'mutates' | { mutates?: true; stdin: object }]
const rows: Row[] = [
  [
    'reads what a drain looks at in one list, without who set which field',
    c.read(at),
    `${line} get nodes,pods,poddisruptionbudgets,volumeattachments,persistentvolumes --all-namespaces --output=json`,
  ],
  ['reads nodes with who set which field', c.nodes(at), `${line} get nodes --output=json --show-managed-fields`],
  [
    'streams nodes with who set which field, for as long as it runs',
    c.watchNodes(at),
    `${to} get nodes --watch --output-watch-events --output=json --show-managed-fields`,
  ],
  ['streams pods', c.watchPods(at), `${to} get pods --all-namespaces --watch --output-watch-events --output=json`],
  ['reads what is attached', c.attachments(at), `${line} get volumeattachments --output=json`],
  [
    'takes a node that is gone for an answer',
    c.node(at, 'a'),
    `${line} get node a --output=json --show-managed-fields --ignore-not-found`,
  ],
  [
    'reads the pods of one node',
    c.podsOn(at, 'a'),
    `${line} get pods --all-namespaces --field-selector=spec.nodeName=a --output=json`,
  ],
  [
    'leaves the server to the kubeconfig where none is named',
    c.attachments({ ...at, server: undefined }),
    'kubectl --kubeconfig=k --cache-dir=c --request-timeout=10s get volumeattachments --output=json',
  ],
  [
    'gives a request no longer than there is',
    c.attachments({ ...at, timeoutMs: 2500 }),
    `${to} --request-timeout=3s get volumeattachments --output=json`,
  ],
  [
    'gives a request a second at least',
    c.attachments({ ...at, timeoutMs: 1 }),
    `${to} --request-timeout=1s get volumeattachments --output=json`,
  ],
  [
    'has an eviction judged, and not carried out',
    c.tryEviction(at, { namespace: 'shop', name: 'web-1' }),
    `${line} create --raw /api/v1/namespaces/shop/pods/web-1/eviction?dryRun=All --filename=-`,
    {
      stdin: {
        ...{ apiVersion: 'policy/v1', kind: 'Eviction' },
        metadata: { name: 'web-1', namespace: 'shop' },
        deleteOptions: { dryRun: ['All'] },
      },
    },
  ],
  [
    'asks who we are and what we may, which changes nothing',
    c.review(at, [{ verb: 'create', resource: 'pods/eviction', group: '', namespace: 'shop' }]),
    `${line} create --filename=- --validate=false --output=jsonpath={.metadata.creationTimestamp}{" "}{.status.userInfo.username}{.status.allowed}{"\\n"}`,
    {
      stdin: {
        ...{ apiVersion: 'v1', kind: 'List' },
        items: [
          { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
          {
            ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' },
            spec: {
              resourceAttributes: {
                ...{ verb: 'create', group: '', resource: 'pods', subresource: 'eviction', namespace: 'shop' },
              },
            },
          },
        ],
      },
    },
  ],
  [
    'cordons and marks in one patch, which the version that was read guards',
    c.cordon(at, 'a', guard, mark),
    `${line} patch node a --type=merge ${by} --patch={"metadata":{"resourceVersion":"7","annotations":{"talos-workflows/cordon":"{\\"run\\":\\"r\\",\\"at\\":\\"t\\"}"}},"spec":{"unschedulable":true}} ${shows}`,
    'mutates',
  ],
  [
    'lifts cordon and mark in one patch',
    c.uncordon(at, 'a', guard),
    `${line} patch node a --type=merge ${by} --patch={"metadata":{"resourceVersion":"7","annotations":{"talos-workflows/cordon":null}},"spec":{"unschedulable":null}} ${shows}`,
    'mutates',
  ],
  [
    'takes a mark away and leaves the cordon',
    c.unmark(at, 'a', guard),
    `${line} patch node a --type=merge ${by} --patch={"metadata":{"resourceVersion":"7","annotations":{"talos-workflows/cordon":null}}}`,
    'mutates',
  ],
  [
    'notes an installation on the Node, unguarded',
    c.noteInstall(at, 'a', { bootId: 'b', image: 'i', run: 'r' }),
    `${line} patch node a --type=merge ${by} --patch={"metadata":{"annotations":{"talos-workflows/install":"{\\"bootId\\":\\"b\\",\\"image\\":\\"i\\",\\"run\\":\\"r\\"}"}}}`,
    'mutates',
  ],
  ['drains by evictions, and spares what has no controller', drain({}), `${line} ${drained} --timeout=90s`, 'mutates'],
  [
    'drains what has no controller only when told to',
    drain({ force: true }),
    `${line} ${drained} --timeout=90s --force`,
    'mutates',
  ],
  [
    'deletes instead of evicting only when told to',
    drain({ disableEviction: true }),
    `${line} ${drained} --timeout=90s --disable-eviction`,
    'mutates',
  ],
  [
    'drains what a selector names, and waits for no pod that hangs',
    drain({}, { podSelector: 'app=web', hanging: true, timeoutMs: 1 }),
    `${line} ${drained} --timeout=1s --pod-selector=app=web --skip-wait-for-delete-timeout=60`,
    'mutates',
  ],
  [
    'looks once how a gate stands',
    c.wait(at, gate, 0),
    `${line} wait --for=condition=Available --timeout=0s deployment/web`,
  ],
  [
    'waits for a gate without a limit that would cut the watch off',
    c.wait(at, { ...gate, namespace: 'shop', selector: 'app=web' }, 30_000),
    `${to} wait --for=condition=Available --timeout=30s deployment/web --namespace=shop --selector=app=web`,
  ],
  [
    'takes a Lease that is not there for an answer',
    c.readLease(at),
    `${line} get lease talos-workflows --namespace=kube-system --output=json --ignore-not-found`,
  ],
  [
    'makes the Lease, and never over another one',
    c.createLease(at, lease),
    `${line} create ${by} --filename=- --output=json`,
    { mutates: true, stdin: lease },
  ],
  [
    'replaces the Lease as it was read',
    c.replaceLease(at, lease),
    `${line} replace ${by} --filename=- --output=json`,
    { mutates: true, stdin: lease },
  ],
  [
    'deletes the Lease of the version that was read only',
    c.deleteLease(at, guard),
    `${line} delete --raw /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/talos-workflows --filename=-`,
    { mutates: true, stdin: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: guard } },
  ],
]

for (const [what, { tool, argv, mutates, stdin }, is, how] of rows)
  test(what, () => {
    assert.is([tool, ...argv].join(' '), is)
    assert.is(mutates, how === 'mutates' || (typeof how === 'object' && how.mutates === true))
    assert.equal(stdin && JSON.parse(stdin), typeof how === 'object' ? how.stdin : undefined)
  })

test('every call stands in this table', () => assert.equal([...asked].sort(), Object.keys(kubectlCommands).sort()))

test.run()
