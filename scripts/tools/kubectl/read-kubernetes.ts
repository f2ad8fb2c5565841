import { count, type ForeignMap, list, map, text, texts } from '../../../workflows/model/foreign-json.ts'
import type {
  CordonMark,
  DisruptionBudget,
  InstallMark,
  KubeNode,
  KubePod,
  KubernetesRead,
  LabelSelector,
  Placement,
  Taint,
  Toleration,
  VolumeAttachment,
} from '../../../workflows/model/kubernetes.ts'
import { whoseCordon } from '../../../workflows/plan/drain/whose-cordon.ts'
import { CORDON_ANNOTATION, INSTALL_ANNOTATION } from '../kubectl.ts'

/** what Talos writes beside a cordon of its own: AnnotationCordonedKey in its pkg/machinery/constants */
const TALOS_CORDON = 'talos.dev/cordoned'

const labelsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(map(value)).flatMap(([key, item]) => (typeof item === 'string' ? [[key, item]] : [])),
  )

const condition = (status: ForeignMap, type: string): ForeignMap | undefined =>
  list(status.conditions).find((item) => item.type === type)

/** The objects in kubectl's output: the items of a list, or the one object; undefined where it is no JSON of the API. */
export function objectsOf(json: string): ForeignMap[] | undefined {
  try {
    const parsed = map(JSON.parse(json))
    if (parsed.kind === undefined) return undefined
    return Array.isArray(parsed.items) ? list(parsed.items) : [parsed]
  } catch {
    return undefined
  }
}

/** Sorts a list of mixed kinds. */
export function readKubernetes(objects: readonly ForeignMap[]): KubernetesRead {
  const of = (kind: string) => objects.filter((object) => object.kind === kind)
  const volumes = new Set(of('PersistentVolume').map((volume) => text(map(volume.metadata).name)))
  const claims = new Map(
    of('PersistentVolume').flatMap((volume): [string, string][] => {
      const { namespace, name } = map(map(volume.spec).claimRef)
      const own = text(map(volume.metadata).name)
      return own && typeof name === 'string' ? [[own, `${namespace}/${name}`]] : []
    }),
  )
  return {
    nodes: of('Node').map(readNode),
    pods: of('Pod').map(readPod),
    budgets: of('PodDisruptionBudget').map(readBudget),
    attachments: of('VolumeAttachment').map((object) => {
      const attachment = readAttachment(object, claims)
      // a volume of a pod itself has no object of its own
      const isOrphaned = attachment.volume !== '' && !volumes.has(attachment.volume)
      return isOrphaned ? { ...attachment, orphaned: true } : attachment
    }),
  }
}

export function readNode(object: ForeignMap): KubeNode {
  const metadata = map(object.metadata)
  const spec = map(object.spec)
  const status = map(object.status)
  const info = map(status.nodeInfo)
  const ready = condition(status, 'Ready')
  const annotations = map(metadata.annotations)
  const unschedulable = spec.unschedulable === true
  const mark = readMark(text(annotations[CORDON_ANNOTATION]))
  const install = readInstallMark(text(annotations[INSTALL_ANNOTATION]))
  const detail = text(ready?.message) ?? text(ready?.reason)
  const bootId = text(info.bootID)
  return {
    name: text(metadata.name) ?? '',
    addresses: list(status.addresses)
      .filter(({ type }) => type === 'InternalIP')
      .flatMap(({ address }) => text(address) ?? []),
    ready: ready?.status === 'True',
    ...(ready?.status !== 'True' && detail !== undefined ? { detail } : {}),
    unschedulable,
    ...whoseCordon({ unschedulable, mark, owners: ownersOf(metadata, 'unschedulable') }),
    ...(install ? { install } : {}),
    ...(annotations[TALOS_CORDON] === undefined ? {} : { cordonedByTalos: true }),
    kubeletVersion: text(info.kubeletVersion) ?? '',
    ...(bootId ? { bootId } : {}),
    labels: labelsOf(metadata.labels),
    taints: list(spec.taints).map(readTaint),
    resourceVersion: text(metadata.resourceVersion) ?? '',
  }
}

function readTaint({ key, value, effect }: ForeignMap): Taint {
  const own = text(value)
  return { key: text(key) ?? '', effect: text(effect) ?? '', ...(own === undefined ? {} : { value: own }) }
}

/** Who set a field of the spec, as the API server noted it; nobody where kubectl was not told to show that. */
const ownersOf = (metadata: ForeignMap, field: string): string[] =>
  list(metadata.managedFields).flatMap(({ manager, fieldsV1 }) =>
    map(map(fieldsV1)['f:spec'])[`f:${field}`] === undefined ? [] : (text(manager) ?? ''),
  )

/** A mark that can not be read is nobody's: the cordon beside it is then treated as a stranger's. */
function readMark(json: string | undefined): CordonMark | undefined {
  if (json === undefined) return undefined
  try {
    const { run, at } = map(JSON.parse(json))
    return typeof run === 'string' && typeof at === 'string' ? { run, at } : undefined
  } catch {
    return undefined
  }
}

/** Whatever can not be read tells of no installation: the journals may. */
function readInstallMark(json: string | undefined): InstallMark | undefined {
  if (json === undefined) return undefined
  try {
    const { bootId, image, run, configuration } = map(JSON.parse(json))
    if (typeof bootId !== 'string') return undefined
    const hash = text(configuration)
    return { bootId, image: text(image) ?? '', run: text(run) ?? '', ...(hash ? { configuration: hash } : {}) }
  } catch {
    return undefined
  }
}

export function readPod(object: ForeignMap): KubePod {
  const metadata = map(object.metadata)
  const spec = map(object.spec)
  const status = map(object.status)
  const volumes = list(spec.volumes)
  const controller = list(metadata.ownerReferences).find((owner) => owner.controller === true)
  const node = text(spec.nodeName)
  const grace = spec.terminationGracePeriodSeconds
  const endsAt = text(metadata.deletionTimestamp)
  const trouble = troubleOf(status)
  return {
    namespace: text(metadata.namespace) ?? '',
    name: text(metadata.name) ?? '',
    uid: text(metadata.uid) ?? '',
    ...(node ? { node } : {}),
    phase: text(status.phase) ?? 'Unknown',
    ready: condition(status, 'Ready')?.status === 'True',
    ...(trouble === undefined ? {} : { trouble }),
    terminating: endsAt !== undefined,
    ...(endsAt === undefined ? {} : { endsAt }),
    graceMs: (typeof grace === 'number' ? grace : DEFAULT_GRACE_SECONDS) * 1000,
    finalizers: texts(metadata.finalizers),
    labels: labelsOf(metadata.labels),
    ...(controller ? { controller: { kind: text(controller.kind) ?? '', name: text(controller.name) ?? '' } } : {}),
    mirror: map(metadata.annotations)['kubernetes.io/config.mirror'] !== undefined,
    emptyDirs: volumes.filter((volume) => volume.emptyDir !== undefined).flatMap(({ name }) => text(name) ?? []),
    claims: volumes.flatMap((volume) => text(map(volume.persistentVolumeClaim).claimName) ?? []),
    placement: readPlacement(spec, text(metadata.namespace) ?? ''),
  }
}

const DEFAULT_GRACE_SECONDS = 30

/** The first container that waits for something else than its start tells what is wrong with a pod. */
function troubleOf(status: ForeignMap): string | undefined {
  const all = [...list(status.initContainerStatuses), ...list(status.containerStatuses)]
  const reasons = all.flatMap(({ state }) => text(map(map(state).waiting).reason) ?? [])
  return reasons.find((reason) => reason !== 'ContainerCreating' && reason !== 'PodInitializing')
}

function readPlacement(spec: ForeignMap, namespace: string): Placement {
  const affinity = map(spec.affinity)
  const required = map(map(affinity.nodeAffinity).requiredDuringSchedulingIgnoredDuringExecution)
  return {
    nodeSelector: labelsOf(spec.nodeSelector),
    affinity: list(required.nodeSelectorTerms).map((term) =>
      list(term.matchExpressions).map(({ key, operator, values }) => ({
        key: text(key) ?? '',
        operator: text(operator) ?? '',
        values: texts(values),
      })),
    ),
    tolerations: list(spec.tolerations).map((toleration): Toleration => {
      const entries = ['key', 'operator', 'value', 'effect'].flatMap((name) => {
        const value = text(toleration[name])
        return value === undefined ? [] : [[name, value]]
      })
      return Object.fromEntries(entries)
    }),
    apart: list(map(affinity.podAntiAffinity).requiredDuringSchedulingIgnoredDuringExecution).map((term) => {
      const named = texts(term.namespaces)
      return {
        topologyKey: text(term.topologyKey) ?? '',
        selector: readSelector(term.labelSelector) ?? {},
        namespaces: named.length > 0 ? named : [namespace],
      }
    }),
  }
}

function readSelector(value: unknown): LabelSelector | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { matchLabels, matchExpressions } = map(value)
  return {
    ...(matchLabels === undefined ? {} : { matchLabels: labelsOf(matchLabels) }),
    ...(matchExpressions === undefined
      ? {}
      : {
          matchExpressions: list(matchExpressions).map(({ key, operator, values }) => ({
            key: text(key) ?? '',
            operator: text(operator) ?? '',
            values: texts(values),
          })),
        }),
  }
}

function readBudget(object: ForeignMap): DisruptionBudget {
  const metadata = map(object.metadata)
  const spec = map(object.spec)
  const status = map(object.status)
  const selector = readSelector(spec.selector)
  const unhealthyPodEviction = text(spec.unhealthyPodEvictionPolicy)
  return {
    namespace: text(metadata.namespace) ?? '',
    name: text(metadata.name) ?? '',
    ...(selector ? { selector } : {}),
    disruptionsAllowed: count(status.disruptionsAllowed),
    currentHealthy: count(status.currentHealthy),
    desiredHealthy: count(status.desiredHealthy),
    expectedPods: count(status.expectedPods),
    ...(unhealthyPodEviction ? { unhealthyPodEviction } : {}),
  }
}

export function readAttachment(object: ForeignMap, claims: ReadonlyMap<string, string> = new Map()): VolumeAttachment {
  const spec = map(object.spec)
  const volume = text(map(spec.source).persistentVolumeName) ?? ''
  const claim = claims.get(volume)
  return {
    name: text(map(object.metadata).name) ?? '',
    node: text(spec.nodeName) ?? '',
    volume,
    attached: map(object.status).attached === true,
    ...(claim ? { claim } : {}),
  }
}
