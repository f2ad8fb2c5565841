/**
 * kubectl's command lines, as data. Always our own kubeconfig and an API server that is named, so that neither the
 * environment nor a server that is about to go down decides whom is talked to.
 */

import type { DrainPolicy, Gate } from '../../workflows/model/cluster.ts'
import type { CordonMark, InstallMark, Right } from '../../workflows/model/kubernetes.ts'
import { FIELD_MANAGER } from '../../workflows/plan/drain/whose-cordon.ts'
import type { Command } from '../run.ts'

/** The annotation that stands beside a cordon of ours. */
export const CORDON_ANNOTATION = 'talos-workflows/cordon'

/** The annotation that tells under which boot an installation was begun. */
export const INSTALL_ANNOTATION = 'talos-workflows/install'

/** The Lease that locks a cluster. */
export const LEASE = { name: 'talos-workflows', namespace: 'kube-system' } as const

/** Where a command goes. */
export type KubeTarget = {
  kubeconfig: string
  /** `https://10.0.0.1:6443`; undefined: the server of the kubeconfig */
  server: string | undefined
  /** folder for what kubectl remembers of the API's kinds */
  cacheDir: string
  timeoutMs: number
}

const MANAGER = `--field-manager=${FIELD_MANAGER}`
/** kubectl hides who set which field, unless it is told to show it */
const WITH_OWNERS = '--show-managed-fields'
/** longest time for one request of a command; a server that is silent must not use up the deadline of all */
const REQUEST_MS = 10_000

function kubectl(
  at: KubeTarget,
  mutates: boolean,
  argv: readonly string[],
  { watches = false, ...more }: { stdin?: string; watches?: boolean } = {},
): Command {
  const requestMs = Math.max(1_000, Math.min(REQUEST_MS, at.timeoutMs))
  return {
    tool: 'kubectl',
    argv: [
      `--kubeconfig=${at.kubeconfig}`,
      ...(at.server === undefined ? [] : [`--server=${at.server}`]),
      `--cache-dir=${at.cacheDir}`,
      // the limit would cut a watch off, too
      ...(watches ? [] : [`--request-timeout=${Math.ceil(requestMs / 1000)}s`]),
      ...argv,
    ],
    timeoutMs: at.timeoutMs,
    mutates,
    ...more,
  }
}

const seconds = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1000))}s`

/** what is there comes as events, too */
const EVENTS = ['--watch', '--output-watch-events', '--output=json']

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${LEASE.namespace}/leases/${LEASE.name}`

type DrainFlags = { policy: DrainPolicy; podSelector?: string; hanging?: boolean; timeoutMs: number }

/** What of an object keeps a change from being made to another one than the one that was read. */
type Guard = { resourceVersion: string }

/** Every call of kubectl that the project makes. */
export const kubectlCommands = {
  /**
   * Everything that a drain and its forecast look at, in one list of mixed kinds. Without who set which field: that would make
   * it twice as long.
   */
  read: (at: KubeTarget) =>
    kubectl(at, false, [
      'get',
      'nodes,pods,poddisruptionbudgets,volumeattachments,persistentvolumes',
      '--all-namespaces',
      '--output=json',
    ]),
  nodes: (at: KubeTarget) => kubectl(at, false, ['get', 'nodes', '--output=json', WITH_OWNERS]),
  /** Each Node as it is, and then at each change, until it is ended. */
  watchNodes: (at: KubeTarget) => kubectl(at, false, ['get', 'nodes', ...EVENTS, WITH_OWNERS], { watches: true }),
  watchPods: (at: KubeTarget) => kubectl(at, false, ['get', 'pods', '--all-namespaces', ...EVENTS], { watches: true }),
  attachments: (at: KubeTarget) => kubectl(at, false, ['get', 'volumeattachments', '--output=json']),
  node: (at: KubeTarget, name: string) =>
    kubectl(at, false, ['get', 'node', name, '--output=json', WITH_OWNERS, '--ignore-not-found']),
  podsOn: (at: KubeTarget, name: string) =>
    kubectl(at, false, ['get', 'pods', '--all-namespaces', `--field-selector=spec.nodeName=${name}`, '--output=json']),
  /** An eviction that the API server judges and does not carry out. */
  tryEviction: (at: KubeTarget, { namespace, name }: { namespace: string; name: string }) =>
    kubectl(
      at,
      false,
      ['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}/eviction?dryRun=All`, '--filename=-'],
      {
        stdin: JSON.stringify({
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name, namespace },
          deleteOptions: { dryRun: ['All'] },
        }),
      },
    ),
  /** Asks for the time and for our name, and about each right whether we have it: one line for each, in this order. */
  review: (at: KubeTarget, rights: readonly Right[]) =>
    kubectl(
      at,
      false,
      [
        'create',
        '--filename=-',
        '--validate=false',
        '--output=jsonpath={.metadata.creationTimestamp}{" "}{.status.userInfo.username}{.status.allowed}{"\\n"}',
      ],
      { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [whoAreWe, ...rights.map(mayWe)] }) },
    ),
  /** The cordon and its mark in one patch, which the API server refuses when the node changed since it was read. */
  cordon: (at: KubeTarget, name: string, guard: Guard, mark: CordonMark) =>
    patchNode(at, name, guard, JSON.stringify(mark), true),
  uncordon: (at: KubeTarget, name: string, guard: Guard) => patchNode(at, name, guard, null, null),
  /** Takes the mark away, and leaves the cordon as it is. */
  unmark: (at: KubeTarget, name: string, { resourceVersion }: Guard) =>
    mergePatch(at, name, { metadata: { resourceVersion, annotations: { [CORDON_ANNOTATION]: null } } }),
  /** One of ours at a time holds the cluster, so nothing guards this patch. */
  noteInstall: (at: KubeTarget, name: string, mark: InstallMark) =>
    mergePatch(at, name, { metadata: { annotations: { [INSTALL_ANNOTATION]: JSON.stringify(mark) } } }),
  drain: (at: KubeTarget, name: string, { policy, podSelector, hanging = false, timeoutMs }: DrainFlags) =>
    kubectl(at, true, [
      'drain',
      name,
      '--ignore-daemonsets',
      '--delete-emptydir-data',
      `--timeout=${seconds(timeoutMs)}`,
      ...(policy.force ? ['--force'] : []),
      ...(policy.disableEviction ? ['--disable-eviction'] : []),
      ...(podSelector === undefined ? [] : [`--pod-selector=${podSelector}`]),
      ...(hanging ? ['--skip-wait-for-delete-timeout=60'] : []),
    ]),
  /** `waitMs` 0 looks once. */
  wait: (at: KubeTarget, gate: Gate, waitMs: number) =>
    kubectl(
      at,
      false,
      [
        'wait',
        `--for=${gate.for}`,
        `--timeout=${waitMs === 0 ? '0s' : seconds(waitMs)}`,
        gate.resource,
        ...(gate.namespace === undefined ? [] : [`--namespace=${gate.namespace}`]),
        ...(gate.selector === undefined ? [] : [`--selector=${gate.selector}`]),
      ],
      { watches: waitMs > 0 },
    ),
  readLease: (at: KubeTarget) =>
    kubectl(at, false, [
      'get',
      'lease',
      LEASE.name,
      `--namespace=${LEASE.namespace}`,
      '--output=json',
      '--ignore-not-found',
    ]),
  createLease: (at: KubeTarget, lease: object) =>
    kubectl(at, true, ['create', MANAGER, '--filename=-', '--output=json'], { stdin: JSON.stringify(lease) }),
  replaceLease: (at: KubeTarget, lease: object) =>
    kubectl(at, true, ['replace', MANAGER, '--filename=-', '--output=json'], { stdin: JSON.stringify(lease) }),
  deleteLease: (at: KubeTarget, { resourceVersion }: Guard) =>
    kubectl(at, true, ['delete', '--raw', LEASES, '--filename=-'], {
      stdin: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { resourceVersion } }),
    }),
}

const whoAreWe = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }

function mayWe({ verb, resource: of, group, namespace }: Right): object {
  const [resource, subresource] = of.split('/')
  const resourceAttributes = { verb, group, resource, subresource, namespace }
  return { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
}

function patchNode(
  at: KubeTarget,
  name: string,
  { resourceVersion }: Guard,
  mark: string | null,
  unschedulable: true | null,
): Command {
  const patch = { metadata: { resourceVersion, annotations: { [CORDON_ANNOTATION]: mark } }, spec: { unschedulable } }
  // what became of it stands in the answer
  return mergePatch(at, name, patch, '--output=jsonpath={.spec.unschedulable}')
}

const mergePatch = (at: KubeTarget, name: string, patch: object, ...more: string[]): Command =>
  kubectl(at, true, ['patch', 'node', name, '--type=merge', MANAGER, `--patch=${JSON.stringify(patch)}`, ...more])
