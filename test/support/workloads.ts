/** Kubernetes objects for a lab's `workloads`, as users have them. */

const labels = (app: string) => ({ matchLabels: { app } })

const template = (app: string, spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: app, image: `${app}:1` }], ...spec },
})

/** Spread over the nodes that take pods, which no scheduler may weigh against anything else. */
const spread = (app: string) => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: labels(app),
      // a node that is cordoned or away counts for none: what was on it goes to the others
      nodeTaintsPolicy: 'Honor',
      // what was moved by drains does not come back, but what is rolled out anew is spread over all
      matchLabelKeys: ['pod-template-hash'],
    },
  ],
})

export const deployment = (name: string, replicas: number, spec: object = spread(name)) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: { replicas, selector: labels(name), template: template(name, spec) },
})

type Annotated = { spec: { template: { metadata: object } } }

/** The same, with annotations on its pods. */
const annotated = <Workload extends Annotated>(workload: Workload, annotations: Record<string, string>): Workload => {
  const { template: of, ...spec } = workload.spec
  return { ...workload, spec: { ...spec, template: { ...of, metadata: { ...of.metadata, annotations } } } }
}

/** The same, whose pods end again and again. */
export const crashing = <Workload extends Annotated>(workload: Workload): Workload =>
  annotated(workload, { 'lab/crash-loops': '' })

/** The same, whose pods take that many seconds to end. */
export const ending = <Workload extends Annotated>(workload: Workload, seconds: number): Workload =>
  annotated(workload, { 'lab/termination-seconds': String(seconds) })

/** Over the pods of the app that it is called after, unless others are named. */
export const budgetOver = (
  name: string,
  spec: { minAvailable: number | string } | { maxUnavailable: number },
  matchLabels: object = { app: name },
) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace: 'default' },
  spec: { ...spec, selector: { matchLabels } },
})

/** Each replica on a node of its own, with a volume. */
export const database = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    serviceName: name,
    podManagementPolicy: 'Parallel',
    selector: labels(name),
    template: template(name, {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: labels(name) },
          ],
        },
      },
    }),
    volumeClaimTemplates: [
      {
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'lab', resources: { requests: { storage: '1Gi' } } },
      },
    ],
  },
})

/** The same, with more labels on its pods. */
export function labelled(workload: ReturnType<typeof database>, more: Record<string, string>): typeof workload {
  const { metadata, ...rest } = workload.spec.template
  const template = { ...rest, metadata: { labels: { ...metadata.labels, ...more } } }
  return { ...workload, spec: { ...workload.spec, template } }
}

/** On every node, tied to it. */
export const daemon = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: 'default' },
  spec: { selector: labels(name), template: template(name, { tolerations: [{ operator: 'Exists' }] }) },
})
