import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import { finishPlacingFirst } from '../config/finish-placing-first.ts'
import type { Layout } from '../declaration/layout.ts'
import { loadCluster } from '../declaration/load-cluster.ts'
import type { BareCall, Call, CarryOut, CommandSpec } from './command.ts'
import type { CommonName, FlagSpecs } from './flag-spec.ts'
import type { CommonFlags, FlagValues } from './flags.ts'
import { namedNodes } from './named-nodes.ts'
import { reject } from './reject.ts'

/** Runs a workflow once its declaration is known to be good. */
export async function withDeclaration<const Specs extends FlagSpecs>(
  spec: CommandSpec<Specs>,
  call: BareCall & { flags: FlagValues<Specs> },
): Promise<ExitCode> {
  const { common } = call
  const loaded = loadCluster(common.dir, common.cluster, spec.purpose ?? 'operate')
  if (!loaded.ok) return reject(loaded.failure, common)
  const { cluster } = loaded.value
  const access = givenAccess(loaded.value.layout, common, spec.without ?? [])
  if (!access.ok) return reject(access.failure, common)
  const nodes = common.nodes ? namedNodes(cluster, common.nodes) : undefined
  if (nodes && !nodes.ok) return reject(nodes.failure, common)
  const unfinished = finishPlacingFirst(loaded.value.layout)
  if (unfinished) return reject([unfinished], common)
  const known = { ...call, ...loaded.value, layout: access.value, ...(nodes ? { nodes: nodes.value } : {}) }
  return spec.run({ ...known, carryOut: carryOutFor(known) })
}

/** The engine is loaded only where something is carried out. */
const carryOutFor =
  (call: Call): CarryOut =>
  async <Wish extends AnyWish>(verb: Verb<Wish>, flags: Omit<Wish, 'nodes'>) => {
    const engine = await import('../engine/carry-out.ts')
    const crew = async () => (await import('./compose-crew.ts')).crew
    const wish = { ...flags, ...(call.nodes ? { nodes: call.nodes } : {}) } as Wish
    return engine.carryOut(crew, verb, call, wish)
  }

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The layout with the talosconfig and the kubeconfig that were given instead of the cluster's. */
function givenAccess(
  layout: Layout,
  { talosconfig, kubeconfig }: CommonFlags,
  without: readonly CommonName[],
): Result<Layout, Failure[]> {
  const given = [
    { name: 'talosconfig', path: talosconfig, missing: 'talosconfig-missing' },
    { name: 'kubeconfig', path: kubeconfig, missing: 'kubeconfig-unusable' },
  ] as const
  const used = given.flatMap(({ path, ...file }) =>
    path === undefined || without.includes(file.name) ? [] : [{ ...file, path: resolve(path) }],
  )
  const failures = used.flatMap(({ name, path, missing }) =>
    isReadable(path)
      ? []
      : [failure(missing, { detail: `${path} is no file that can be read`, hint: `--${name} <path>` })],
  )
  if (failures.length > 0) return { ok: false, failure: failures }
  return { ok: true, value: { ...layout, ...Object.fromEntries(used.map(({ name, path }) => [name, path])) } }
}
