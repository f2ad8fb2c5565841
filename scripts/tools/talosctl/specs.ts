/** The few fields of Talos' resources that are read, under the names of `talosctl get -o yaml` (machinery/resources). */
import * as v from 'valibot'
import { parse } from 'yaml'
import type { Role } from '../../../workflows/model/cluster.ts'
import { withoutSecret } from '../../../workflows/plan/kernel-arguments.ts'
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

const Extension = v.object({
  metadata: v.object({
    name: v.pipe(v.string(), v.nonEmpty()),
    version: v.string(),
    extraInfo: v.optional(v.string()),
  }),
})

const SchematicContent = v.object({
  customization: v.nullish(v.object({ extraKernelArgs: v.nullish(v.array(v.string())) })),
})

/** Kernel arguments of a schematic, which the Image Factory adds to the extension that is named after it. */
function argumentsOf(content: string | undefined): string[] | undefined {
  if (content === undefined) return undefined
  try {
    const schematic = v.safeParse(SchematicContent, parse(content))
    return schematic.success ? (schematic.output.customization?.extraKernelArgs ?? []).map(withoutSecret) : undefined
  } catch {
    return undefined
  }
}

/**
 * `ExtensionStatuses.runtime.talos.dev`: Image Factory adds one that is named `schematic` and has the schematic's id as
 * its version; `modules.dep` is made by the kernel build and is no extension that an image can lose.
 */
export function readExtensions(
  resources: readonly Resource[],
): { schematic?: string; schematicArguments?: string[]; extensions: string[] } | undefined {
  const all = resources.map((resource) => v.safeParse(Extension, resource.spec))
  if (all.some((spec) => !spec.success)) return undefined
  const named = all.flatMap((spec) => (spec.success ? [spec.output.metadata] : []))
  const own = named.find(({ name }) => name === 'schematic')
  const schematic = own?.version
  const schematicArguments = argumentsOf(own?.extraInfo)
  return {
    ...(schematic ? { schematic } : {}),
    ...(schematicArguments ? { schematicArguments } : {}),
    extensions: named.map(({ name }) => name).filter((name) => name !== 'schematic' && name !== 'modules.dep'),
  }
}

const read =
  <S extends v.GenericSchema>(schema: S) =>
  (resource: Resource | undefined): v.InferOutput<S> | undefined => {
    const spec = v.safeParse(schema, resource?.spec)
    return spec.success ? spec.output : undefined
  }

/** `KernelCmdlines.runtime.talos.dev/cmdline` */
export function readKernelCmdline(resource: Resource | undefined): string | undefined {
  const spec = read(v.object({ cmdline: v.string() }))(resource)
  return spec && withoutSecret(spec.cmdline.trim())
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

/** `ImageVerificationRules.security.talos.dev`: the pattern, which is empty where the rule fits nothing */
export const readRulePattern = read(v.object({ imagePattern: v.pipe(v.string(), v.nonEmpty()) }))
