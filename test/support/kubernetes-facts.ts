import type {
  DisruptionBudget,
  KubeNode,
  KubePod,
  KubernetesFacts,
  KubernetesObservation,
} from '../../workflows/model/kubernetes.ts'

/** A node that is ready and takes pods. */
export const kubeNode = (name: string, address: string, more: Partial<KubeNode> = {}): KubeNode => ({
  name,
  addresses: [address],
  ready: true,
  unschedulable: false,
  kubeletVersion: 'v1.36.1',
  labels: { 'kubernetes.io/hostname': name },
  taints: [],
  resourceVersion: '1',
  ...more,
})

/** A running pod of a ReplicaSet that is called like the pod without its last part. */
export const kubePod = (name: string, node: string, more: Partial<KubePod> = {}): KubePod => ({
  namespace: 'shop',
  name,
  uid: name,
  node,
  phase: 'Running',
  ready: true,
  terminating: false,
  graceMs: 30_000,
  finalizers: [],
  labels: { app: name.replace(/-\w+$/, '') },
  controller: { kind: 'ReplicaSet', name: name.replace(/-\w+$/, '') },
  mirror: false,
  emptyDirs: [],
  claims: [],
  placement: { nodeSelector: {}, affinity: [], tolerations: [], apart: [] },
  ...more,
})

/** A budget over the pods with `app: <name>`. */
export const budget = (
  name: string,
  disruptionsAllowed: number,
  more: Partial<DisruptionBudget> = {},
): DisruptionBudget => ({
  namespace: 'shop',
  name,
  selector: { matchLabels: { app: name } },
  disruptionsAllowed,
  currentHealthy: 2,
  desiredHealthy: 2 - disruptionsAllowed,
  expectedPods: 2,
  ...more,
})

/** What one read of a cluster with these nodes shows. */
export const kubernetesFacts = (
  nodes: KubeNode[],
  more: Partial<KubernetesFacts> = {},
): KubernetesObservation & { answers: true } => ({
  answers: true,
  nodes,
  pods: [],
  budgets: [],
  attachments: [],
  trials: {},
  gates: [],
  denied: [],
  ...more,
})
