/** Saves one verified snapshot of etcd before the first disruption of a run, and lets go of the oldest ones. */
import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { SnapshotInput } from '../../workflows/machines/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { declaredNode, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { openRunFolder } from '../engine/run-folder.ts'

export type Snapshot = { path: string; info: string }

export const snapshotEtcd =
  (world: World) =>
  async ({ node }: SnapshotInput, { signal, processFile }: StepContext): Promise<Result<Snapshot>> => {
    openRunFolder(dirname(world.snapshots), basename(world.snapshots))
    const path = join(world.snapshots, `${world.run}.db`)
    // what a killed run left half written is not a snapshot
    for (const left of [path, `${path}.part`]) rmSync(left, { force: true })
    const timeoutMs = world.cluster.operations.deadlines.snapshotMs
    const taken = await world.talos.snapshot(declaredNode(world, node), path, { signal, timeoutMs, processFile })
    if (!taken.ok) return taken
    const kept = readdirSync(world.snapshots)
      .filter((name) => name.endsWith('.db'))
      .sort()
    for (const old of kept.slice(0, -world.cluster.operations.etcd.keepSnapshots)) rmSync(join(world.snapshots, old))
    return { ok: true, value: { path, info: taken.value.info } }
  }
