/** What a kubeconfig may not do, in the words of the API server, and the roles that would let it: ready to apply. */
import { stringify } from 'yaml'
import type { Operations } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { Denied, Right } from '../model/kubernetes.ts'

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] }

const NAME = 'talos-workflows'

const rule = (group: string, resource: string, ...verbs: string[]): Rule => ({
  apiGroups: [group],
  resources: [resource],
  verbs,
})

const LEASES = {
  namespace: 'kube-system',
  rules: [rule('coordination.k8s.io', 'leases', 'get', 'create', 'update', 'delete')],
}

/** What is read of the whole cluster in every look. */
const LOOK = [
  rule('', 'nodes', 'get', 'list', 'watch'),
  rule('', 'pods', 'get', 'list', 'watch'),
  rule('', 'persistentvolumes', 'list'),
  rule('policy', 'poddisruptionbudgets', 'list'),
  rule('storage.k8s.io', 'volumeattachments', 'list'),
]

/** All that a run asks of the whole cluster: gates of operations.yaml may want more. */
const CLUSTER = [
  // who may not watch reads instead
  rule('', 'nodes', 'get', 'list', 'watch', 'patch'),
  rule('', 'pods', 'get', 'list', 'watch'),
  rule('', 'pods/eviction', 'create'),
  ...LOOK.slice(2),
  // kubectl drain looks whether the DaemonSet of a pod is there
  rule('apps', 'daemonsets', 'get'),
]

/** What a run is going to ask for, so that it is not learned half way: of what a look needs the look itself tells. */
export function rightsWanted({ access, drain }: Pick<Operations, 'access' | 'drain'>): Right[] {
  const of = ({ apiGroups, resources, verbs }: Rule, namespace?: string): Right[] =>
    verbs.map((verb) => ({
      verb,
      resource: resources.join(),
      group: apiGroups.join(),
      ...(namespace === undefined ? {} : { namespace }),
    }))
  const leaves = drain.disableEviction ? rule('', 'pods', 'delete') : rule('', 'pods/eviction', 'create')
  return [
    ...(access.lease === 'keep' ? LEASES.rules.flatMap((lease) => of(lease, LEASES.namespace)) : []),
    ...(drain.enabled ? [rule('', 'nodes', 'get', 'patch'), rule('apps', 'daemonsets', 'get'), leaves] : []).flatMap(
      (wanted) => of(wanted),
    ),
  ]
}

/** The same with what a look asks for: all that is needed, for one who was denied some of it. */
export const allRights = (operations: Pick<Operations, 'access' | 'drain'>): Right[] => [
  ...rightsWanted(operations),
  ...LOOK.flatMap(({ apiGroups, resources, verbs }) =>
    verbs.map((verb) => ({ verb, resource: resources.join(), group: apiGroups.join() })),
  ),
]

/** What was denied first, with all else that is missing: nobody is sent back for the next role. */
export function alsoForbidden(first: Failure, denied: readonly Denied[]): Failure {
  if (denied.length === 0) return first
  const { detail, manifest } = forbidden(denied)
  const objects = [first.manifest, manifest].flatMap((text) => (text ?? '').split(BETWEEN).filter(Boolean))
  return { ...first, detail: `${first.detail}; in all, ${detail}`, manifest: [...new Set(objects)].join(BETWEEN) }
}

const BETWEEN = '---\n'

/** Every `User "ci" cannot list resource "nodes" in API group "" at the cluster scope` in what a tool printed. */
export const deniedIn = (text: string): Denied[] =>
  [
    ...text.matchAll(
      /User "([^"]*)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)" (?:in the namespace "([^"]+)"|at the cluster scope)/g,
    ),
  ].map(([, user = '', verb = '', resource = '', group = '', namespace]) => ({
    user,
    verb,
    resource,
    group,
    ...(namespace === undefined ? {} : { namespace }),
  }))

/** The failure that they are: who may not do what, and the roles that are missing. */
export function forbidden(denied: readonly Denied[]): Failure {
  const all = denied.map(({ verb, resource, namespace }) => `${verb} ${resource}${namespace ? ` in ${namespace}` : ''}`)
  return failure('kubernetes-forbidden', {
    detail: `the kubeconfig's user ${denied[0]?.user} may not ${[...new Set(all)].join(', nor ')}`,
    hint: APPLY,
    manifest: missingAccess(denied),
  })
}

/** The restricted user may not give itself more. */
export const APPLY =
  'talosctl kubeconfig ./admin.kubeconfig # and with KUBECONFIG=./admin.kubeconfig what is printed below'

/**
 * The roles and their bindings, as YAML for `kubectl apply -f -`. Whoever lacks one right of a role gets all of it, so that
 * nobody is sent back for the next one.
 */
function missingAccess(denied: readonly Denied[]): string {
  const [first] = denied
  if (first === undefined) return ''
  const isIn = (rules: readonly Rule[]) => (of: Denied) =>
    rules.some(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.includes(of.group) && resources.includes(of.resource) && verbs.includes(of.verb),
    )
  const leases = denied.some(isIn(LEASES.rules))
  const cluster = denied.some(isIn(CLUSTER))
  const others = denied.filter((of) => !isIn([...LEASES.rules, ...CLUSTER])(of))
  const objects = [
    ...(leases ? role(first.user, NAME, LEASES.rules, LEASES.namespace) : []),
    ...(cluster ? role(first.user, NAME, CLUSTER) : []),
    ...[...byResource(others)].flatMap(([name, of]) => {
      const [{ group, resource, namespace }] = of
      const verbs = [...new Set(of.map(({ verb }) => verb))]
      // what `kubectl wait` asks one after another
      const wanted = ['get', 'list', 'watch'].some((verb) => verbs.includes(verb)) ? ['get', 'list', 'watch'] : verbs
      return role(first.user, name, [rule(group, resource, ...wanted)], namespace)
    }),
  ]
  return objects.map((object) => stringify(object)).join(BETWEEN)
}

function byResource(denied: readonly Denied[]): Map<string, [Denied, ...Denied[]]> {
  const found = new Map<string, [Denied, ...Denied[]]>()
  for (const of of denied) {
    const name = `${NAME}-${of.resource.replace('/', '-')}${of.verb === 'delete' ? '-delete' : ''}`
    const known = found.get(name)
    if (known) known.push(of)
    else found.set(name, [of])
  }
  return found
}

/** A role with these rules, in one namespace or everywhere, and its binding. */
function role(user: string, name: string, rules: readonly Rule[], namespace?: string): object[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const scope = namespace === undefined ? 'ClusterRole' : 'Role'
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
  const [, of, account] = /^system:serviceaccount:([^:]+):(.+)$/.exec(user) ?? []
  const subject =
    account === undefined
      ? { kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }
      : { kind: 'ServiceAccount', name: account, namespace: of }
  return [
    { apiVersion, kind: scope, metadata, rules },
    {
      apiVersion,
      kind: `${scope}Binding`,
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: scope, name },
      subjects: [subject],
    },
  ]
}
