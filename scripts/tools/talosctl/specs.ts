/** The few fields of Talos' resources that are read, under the names of `talosctl get -o yaml` (machinery/resources). */
import * as v from 'valibot'
import type { Role } from '../../../workflows/model/cluster.ts'
import type { Resource } from './resources.ts'

export type Stage = { stage: string; ready: boolean; unmet: string[] }

const MachineStatus = v.object({
  stage: v.pipe(v.string(), v.nonEmpty()),
  status: v.object({
    ready: v.boolean(),
    unmetConditions: v.nullish(v.array(v.object({ name: v.string(), reason: v.string() })), []),
  }),
})

/** `MachineStatuses.runtime.talos.dev/machine`; unmet conditions as `name: reason`. */
export function readStage(resource: Resource | undefined): Stage | undefined {
  const spec = v.safeParse(MachineStatus, resource?.spec)
  if (!spec.success) return undefined
  const { stage, status } = spec.output
  return { stage, ready: status.ready, unmet: status.unmetConditions.map(({ name, reason }) => `${name}: ${reason}`) }
}

const Extension = v.object({ metadata: v.object({ name: v.pipe(v.string(), v.nonEmpty()), version: v.string() }) })

/**
 * `ExtensionStatuses.runtime.talos.dev`: Image Factory adds one that is named `schematic` and has the schematic's id as
 * its version; `modules.dep` is made by the kernel build and is no extension that an image can lose.
 */
export function readExtensions(
  resources: readonly Resource[],
): { schematic?: string; extensions: string[] } | undefined {
  const all = resources.map((resource) => v.safeParse(Extension, resource.spec))
  if (all.some((spec) => !spec.success)) return undefined
  const named = all.flatMap((spec) => (spec.success ? [spec.output.metadata] : []))
  const schematic = named.find(({ name }) => name === 'schematic')?.version
  return {
    ...(schematic ? { schematic } : {}),
    extensions: named.map(({ name }) => name).filter((name) => name !== 'schematic' && name !== 'modules.dep'),
  }
}

const read =
  <S extends v.GenericSchema>(schema: S) =>
  (resource: Resource | undefined): v.InferOutput<S> | undefined => {
    const spec = v.safeParse(schema, resource?.spec)
    return spec.success ? spec.output : undefined
  }

/** `SecurityStates.runtime.talos.dev/securitystate` */
export const readSecurityState = read(v.object({ secureBoot: v.optional(v.boolean(), false) }))

/** `PlatformMetadatas.runtime.talos.dev/platformmetadata` */
export const readPlatform = read(v.object({ platform: v.pipe(v.string(), v.nonEmpty()) }))

/** `HostnameStatuses.net.talos.dev/hostname`: without the domain */
export const readHostname = read(v.object({ hostname: v.pipe(v.string(), v.nonEmpty()) }))

/** `Nodenames.kubernetes.talos.dev/nodename` */
export const readNodename = read(v.object({ nodename: v.pipe(v.string(), v.nonEmpty()) }))

/** `KubeletSpecs.kubernetes.talos.dev/kubelet`: the version is the tag of the image, which may carry a digest. */
export function readKubeletVersion(resource: Resource | undefined): string | undefined {
  const spec = read(v.object({ image: v.string() }))(resource)
  return spec && /:(v[^:@/]+)(@.*)?$/.exec(spec.image)?.[1]
}

/** `MachineTypes.config.talos.dev/machine-type`: its spec is a bare word; `init` is an old kind of control plane. */
export function readRole(resource: Resource | undefined): Role | undefined {
  const type = resource?.spec
  if (type === 'controlplane' || type === 'init') return 'controlplane'
  return type === 'worker' ? 'worker' : undefined
}
