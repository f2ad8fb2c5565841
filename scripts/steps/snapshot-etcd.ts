/** Saves one verified snapshot of etcd before the first disruption of a run, and lets go of those that are not needed any more. */
import { rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { SnapshotInput } from '../../workflows/machines/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { overdueSnapshots } from '../../workflows/plan/overdue-snapshots.ts'
import { declaredNode, type World } from '../cluster/world.ts'
import { namesIn } from '../disk/names-in.ts'
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
    const earlier = namesIn(world.snapshots)
      .flatMap((name) => /^(.+)\.db$/.exec(name)?.[1] ?? [])
      .filter((run) => run !== world.run)
      .sort()
    const keep = world.cluster.operations.etcd.keepSnapshots
    for (const run of overdueSnapshots(earlier, keep - 1, world.tookNoneDown))
      rmSync(join(world.snapshots, `${run}.db`))
    return { ok: true, value: { path, info: taken.value.info } }
  }
