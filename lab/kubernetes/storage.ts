import type { Clock } from '../clock.ts'
import type { FaultBoard } from '../fault-board.ts'
import type { LabLog } from '../log.ts'
import { type ApiClient, KubeError, type KubeObject } from './api-client.ts'
import { Informer } from './informer.ts'
import { applyManifests } from './manifests.ts'

const driver = 'csi.lab'
const finalizer = `external-attacher/${driver}`
const attachSeconds = 2
const detachSeconds = 5

/**
 * A storage system as far as a drain sees one: it provisions a volume for each claim, and attaches and detaches it when
 * the real attach-detach controller asks by a VolumeAttachment. The provisioner and the attacher of a CSI driver, in short.
 */
export class Storage {
  readonly #api: ApiClient
  readonly #clock: Clock
  readonly #faults: FaultBoard
  readonly #log: LabLog
  readonly #signal: AbortSignal
  readonly #attachments: Informer
  readonly #claims: Informer
  readonly #busy = new Set<string>()

  constructor(options: { api: ApiClient; clock: Clock; faults: FaultBoard; log: LabLog; signal: AbortSignal }) {
    this.#api = options.api
    this.#clock = options.clock
    this.#faults = options.faults
    this.#log = options.log
    this.#signal = options.signal
    this.#attachments = new Informer(options.api, '/apis/storage.k8s.io/v1/volumeattachments')
    this.#claims = new Informer(options.api, '/api/v1/persistentvolumeclaims')
  }

  /** Announces the driver and begins to serve it. */
  async start(): Promise<void> {
    await applyManifests(this.#api, manifests, this.#signal)
    this.#claims.on((change, claim) => {
      if (change === 'there' && claim.spec.volumeName === undefined) this.#once(claim, () => this.#provision(claim))
    })
    this.#attachments.on((change, attachment) => {
      if (change === 'gone' || attachment.spec.attacher !== driver) return
      if (attachment.metadata.deletionTimestamp !== undefined) this.#once(attachment, () => this.#detach(attachment))
      else if (attachment.status?.attached !== true) this.#once(attachment, () => this.#attach(attachment))
    })
    await Promise.all([this.#claims.start(this.#signal), this.#attachments.start(this.#signal)])
  }

  /** Announces the driver of a node, as the one of its CSI driver would with its kubelet. */
  readonly announce = (node: string): Promise<unknown> =>
    this.#api
      .create('/apis/storage.k8s.io/v1/csinodes', {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name: node },
        spec: { drivers: [{ name: driver, nodeID: node, topologyKeys: null }] },
      })
      .catch((error: unknown) => {
        if (!(error instanceof KubeError) || error.code !== 409) throw error
      })

  /** Whether every volume of the pod is attached to its node. */
  readonly isReady = (pod: KubeObject): boolean =>
    claimsOf(pod).every((name) => {
      const volume = this.#claims.find(name, pod.metadata.namespace)?.spec.volumeName
      return this.#attachments
        .all()
        .some(
          ({ spec, status }) =>
            spec.nodeName === pod.spec.nodeName &&
            spec.source.persistentVolumeName === volume &&
            status?.attached === true,
        )
    })

  /** Volumes that are attached to the node, or not yet detached from it. */
  attachedTo(node: string): string[] {
    return this.#attachments
      .all()
      .filter(({ spec }) => spec.nodeName === node)
      .map(({ spec }) => spec.source.persistentVolumeName as string)
  }

  /** Told whenever a volume was attached, detached, or began to be. */
  onAttachments(listener: () => void): void {
    this.#attachments.on(listener)
  }

  async #provision(claim: KubeObject): Promise<void> {
    const { name, namespace, uid } = claim.metadata
    if (claim.spec.storageClassName !== 'lab') return
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `pvc-${uid}` },
      spec: {
        accessModes: claim.spec.accessModes,
        capacity: claim.spec.resources.requests,
        storageClassName: 'lab',
        persistentVolumeReclaimPolicy: 'Delete',
        csi: { driver, volumeHandle: `pvc-${uid}` },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      },
    }
    await this.#api.create('/api/v1/persistentvolumes', volume)
  }

  async #attach({ metadata: { name } }: KubeObject): Promise<void> {
    const path = `/apis/storage.k8s.io/v1/volumeattachments/${name}`
    await this.#api.patch(path, { metadata: { finalizers: [finalizer] } })
    await this.#clock.sleep(attachSeconds, this.#signal)
    await this.#api.patch(`${path}/status`, { status: { attached: true } })
  }

  async #detach({ metadata: { name }, spec }: KubeObject): Promise<void> {
    await this.#faults.hold('volume-never-detaches', spec.nodeName, this.#signal)
    await this.#clock.sleep(detachSeconds, this.#signal)
    await this.#api.patch(`/apis/storage.k8s.io/v1/volumeattachments/${name}`, { metadata: { finalizers: null } })
    this.#log.append({ type: 'volume.detached', node: spec.nodeName, volume: spec.source.persistentVolumeName })
  }

  /** One piece of work on an object at a time; what is gone meanwhile needs none. */
  #once({ metadata: { uid = '' } }: KubeObject, work: () => Promise<void>): void {
    if (this.#busy.has(uid)) return
    this.#busy.add(uid)
    void work()
      .catch((error: unknown) => {
        if (this.#signal.aborted || (error instanceof KubeError && [404, 409].includes(error.code))) return
        process.stderr.write(`storage: ${String(error)}\n`)
      })
      .finally(() => {
        this.#busy.delete(uid)
        const now = this.#attachments.all().find(({ metadata }) => metadata.uid === uid)
        if (now?.metadata.deletionTimestamp !== undefined) this.#once(now, () => this.#detach(now))
      })
  }
}

/** Names of the claims that a pod mounts. */
const claimsOf = (pod: KubeObject): string[] =>
  ((pod.spec.volumes ?? []) as { persistentVolumeClaim?: { claimName: string } }[]).flatMap(
    ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
  )

const manifests: readonly KubeObject[] = [
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    metadata: { name: driver },
    spec: { attachRequired: true, podInfoOnMount: false },
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'lab', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    ...{ provisioner: driver, volumeBindingMode: 'Immediate' },
  },
]
