/** Kubernetes objects for a lab's `workloads`, as users have them. */

const labels = (app: string) => ({ matchLabels: { app } })

const template = (app: string, spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: app, image: `${app}:1` }], ...spec },
})

/** Spread over the nodes where that is possible. */
const spread = (app: string) => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: labels(app),
    },
  ],
})

export const deployment = (name: string, replicas: number, spec: object = spread(name)) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: { replicas, selector: labels(name), template: template(name, spec) },
})

export const budgetOver = (app: string, spec: { minAvailable: number | string } | { maxUnavailable: number }) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: app, namespace: 'default' },
  spec: { ...spec, selector: labels(app) },
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

/** On every node, tied to it. */
export const daemon = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: 'default' },
  spec: { selector: labels(name), template: template(name, { tolerations: [{ operator: 'Exists' }] }) },
})
