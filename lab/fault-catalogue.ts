/** What can go wrong in the lab, by name. */
export type FaultName = keyof typeof faultCatalogue

type FaultKind = {
  /** one line for `lab fault --list` */
  summary: string
  /** how it ends when nobody cures it */
  ends: string
  /** length in machine seconds, for the faults that have one */
  seconds?: number
  /** how often it happens before it is over; without it, until it is cured */
  times?: number
  /** makes sense only on a node with an etcd member */
  controlPlaneOnly?: true
  /** makes sense only in a lab that runs Kubernetes */
  kubernetesOnly?: true
}

/** The one catalogue of faults. Every one of them works on nodes below Talos 1.13 and above. */
export const faultCatalogue = {
  'image-pull-fails': { summary: 'the registry does not have the image', ends: 'cured' },
  'image-pull-hangs': { summary: 'a pull makes no progress; it goes on when cured', ends: 'cured' },
  'image-refused': { summary: 'a rule of image verification denies the installer image', ends: 'cured' },
  'install-fails': {
    summary: 'the installer ends with exit code 1, or another one of an installer ≥ 1.14; the slots stay as they are',
    ends: 'cured',
  },
  'installer-dies': {
    summary: "the installer's process is killed: no end in the log, the slot half written",
    ends: 'cured',
  },
  'log-unreadable': { summary: 'the node answers every question for the log of machined with an error', ends: 'cured' },
  'boots-back-to-old-version': {
    summary: 'a slot that never ran does not boot; the node comes back on the other one',
    ends: 'cured',
  },
  'never-returns': { summary: 'after a reboot the machine stays down; it boots when cured', ends: 'cured' },
  'power-cut': {
    summary: 'the machine loses its power at once, whatever it does; it boots when the power is back',
    ends: 'after its seconds, or cured',
    seconds: 30,
  },
  'config-changed': {
    summary: 'somebody changes the machine configuration, at once and on disk',
    ends: 'cured: then it is as before',
  },
  'config-staged': {
    summary: 'somebody stages a change of the machine configuration: on disk, active from the next boot on',
    ends: 'cured: then it is as before',
  },
  'config-unreadable': {
    summary: 'the same with a document that no release can read: the next boot stops before apid listens',
    ends: 'cured: then it goes on',
  },
  'renamed-at-boot': {
    summary: 'a boot gives the machine another host name, and Kubernetes another Node; the old one stays',
    ends: 'cured: the next boot gives it its own name again',
  },
  'returns-not-ready': {
    summary: 'after a boot the node runs and does not get ready; it gets ready when cured',
    ends: 'cured',
  },
  'slow-boot': { summary: 'a reboot takes that much longer', ends: 'cured', seconds: 120 },
  'connection-lost-during-reboot': {
    summary: 'the answer to a reboot (or legacy upgrade) is lost, though it happens',
    ends: 'cured',
  },
  'reboot-request-lost': {
    summary: 'a reboot (or legacy upgrade) is answered with Unavailable and does not happen',
    ends: 'after one request',
    times: 1,
  },
  'unreachable-for': { summary: 'no packet reaches the Talos API', ends: 'after its seconds', seconds: 60 },
  'behind-endpoints': { summary: 'the Talos API is reached through other nodes only', ends: 'cured' },
  'proxy-resets': { summary: 'the same, and a proxy takes direct connections and resets them', ends: 'cured' },
  'etcd-member-down': {
    summary: 'the etcd process is dead',
    ends: 'cured, or when the node boots',
    controlPlaneOnly: true,
  },
  'etcd-alarm-nospace': {
    summary: 'the member has raised NOSPACE',
    ends: 'cured, or disarmed',
    controlPlaneOnly: true,
  },
  'etcd-alarms-unreadable': {
    summary: 'the node answers every question for alarms of etcd with an error',
    ends: 'cured',
    controlPlaneOnly: true,
  },
  'etcd-learner': {
    summary: 'a learner that never started is among the members',
    ends: 'cured',
    controlPlaneOnly: true,
  },
  'etcd-slow-to-catch-up': {
    summary: 'for that long after a boot the member reports an applied index far behind',
    ends: 'cured',
    seconds: 60,
    controlPlaneOnly: true,
  },
  'pdb-blocks-forever': {
    summary: 'a PodDisruptionBudget allows no disruption of one pod on the node',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'pdb-blocks-for': {
    summary: 'the same for a while',
    ends: 'after its seconds',
    seconds: 120,
    kubernetesOnly: true,
  },
  'volume-never-detaches': {
    summary: 'volumes are not detached from the node; they are when cured',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'apiserver-down-for': {
    summary: 'the API server of the control plane is not there',
    ends: 'after its seconds',
    seconds: 60,
    controlPlaneOnly: true,
    kubernetesOnly: true,
  },
  'apiserver-flaps': {
    summary: 'the API server of the control plane comes and goes',
    ends: 'cured',
    controlPlaneOnly: true,
    kubernetesOnly: true,
  },
  'foreign-cordon': {
    summary: 'somebody else cordons the node; when cured, uncordons it',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'kubelet-slow-ready': {
    summary: 'after a boot the node gets ready in Kubernetes that much later',
    ends: 'cured',
    seconds: 120,
    kubernetesOnly: true,
  },
  'node-object-deleted': {
    summary: 'the Node object is deleted; the kubelet registers anew at its next boot, or when cured',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'pod-never-terminates': {
    summary: 'pods on the node do not end when they are deleted; they do when cured',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'pod-hangs': {
    summary: 'one pod on the node hangs in Terminating since yesterday, for a finalizer that nobody takes away',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'evictions-refused': {
    summary: 'an admission webhook refuses every eviction from the node',
    ends: 'cured',
    kubernetesOnly: true,
  },
  'answers-garbage': { summary: 'every answer of the Talos API is nonsense', ends: 'cured' },
  'wrong-ca': { summary: "the node presents a certificate of a stranger's CA", ends: 'cured' },
} as const satisfies Record<string, FaultKind>

/** The entry of `name`, with the optional fields visible to the type checker. */
export function faultKind(name: FaultName): FaultKind {
  return faultCatalogue[name]
}

/** Whether a word from a command line or a file is a fault's name. */
export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(faultCatalogue, name)
}
