import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EtcdPaths } from './etcd-member.ts'
import type { FaultRequest } from './fault-board.ts'
import { isThere } from './is-there.ts'
import type { KubeObject } from './kubernetes/api-client.ts'
import type { Operator } from './kubernetes/operator.ts'
import type { KubernetesTools } from './kubernetes/servers.ts'
import type { MachineSpec } from './lab-file.ts'
import type { Timings } from './timings.ts'

/** Everything the lab's process needs, as the JSON file that `up` hands it. */
export type LabConfig = {
  cluster: string
  stateDir: string
  socketPath: string
  speed: number
  timings: Timings
  schematics: Record<string, string[]>
  nodes: ({ name: string; address: string; role: 'controlplane' | 'worker'; machineConfig: string } & MachineSpec)[]
  faults: FaultRequest[]
  etcdPaths: EtcdPaths
  /** absent: a lab without Kubernetes, whose nodes are ready by themselves */
  kubernetes?: {
    tools: KubernetesTools
    workloads: KubeObject[]
    operators: readonly Operator[]
  }
  /** the cluster's OS certificate authority, PEM */
  authority: { crt: string; key: string }
  /** the lab ends when this process is gone */
  dieWith?: number
}

/** The files of a cluster's lab, all of them in the cluster's `.run/lab`. */
export type LabPaths = {
  stateDir: string
  config: string
  log: string
  errors: string
  etcd: string
  kubernetes: string
  talosconfig: string
}

export function labPaths(clusterDir: string): LabPaths {
  const stateDir = join(clusterDir, '.run', 'lab')
  return {
    stateDir,
    config: join(stateDir, 'config.json'),
    log: join(stateDir, 'log.ndjson'),
    errors: join(stateDir, 'daemon.err'),
    etcd: join(stateDir, 'etcd'),
    kubernetes: join(stateDir, 'kubernetes'),
    talosconfig: join(stateDir, 'talosconfig'),
  }
}

/** A socket's path may have 108 bytes at most, so it cannot live in the state folder. */
export function socketPathFor(stateDir: string): string {
  const name = `talos-lab-${createHash('sha256').update(stateDir).digest('hex').slice(0, 12)}.sock`
  const path = join(tmpdir(), name)
  return Buffer.byteLength(path) < 100 ? path : join('/tmp', name)
}

/**
 * The configuration of a lab that is up, or was when it was killed; undefined when there is none. Throws where it is
 * another user's.
 */
export function readLabConfig(paths: LabPaths): LabConfig | undefined {
  if (!isThere(paths.config)) return undefined
  const text = readFileSync(paths.config, 'utf8')
  try {
    return JSON.parse(text) as LabConfig
  } catch {
    return undefined
  }
}
