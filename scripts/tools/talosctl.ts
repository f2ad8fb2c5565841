/**
 * talosctl's command lines, as data. Always exactly one endpoint: with several, talosctl shuffles them for every call.
 * Always our own talosconfig, never the one that the environment names.
 */
import type { RebootMode } from '../../workflows/plan/plan.ts'
import type { Command } from '../run.ts'

/** Where a command goes: through which endpoint, about which nodes (addresses). */
export type Target = {
  talosconfig: string
  endpoint: string
  nodes: readonly string[]
  timeoutMs: number
}

/** File that the kernel fills with a new uuid at each boot. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

const talosctl = (at: Target, mutates: boolean, ...argv: string[]): Command => ({
  tool: 'talosctl',
  argv: ['--talosconfig', at.talosconfig, '-e', at.endpoint, '-n', at.nodes.join(','), ...argv],
  timeoutMs: at.timeoutMs,
  mutates,
})

/** Every call of talosctl that the project makes. Reading ones take several nodes where talosctl does. */
export const talosctlCommands = {
  /** Text, a block a node that answers, in any order. */
  version: (at: Target) => talosctl(at, false, 'version'),
  /** `kind` of each node, or the one with that id: concatenated indented JSON objects. Nodes that are down break it. */
  get: (at: Target, kind: string, id?: string) =>
    talosctl(at, false, 'get', kind, ...(id === undefined ? [] : [id]), '-o', 'json'),
  /** The same objects with an `event`, now and at each change, until it is ended. */
  watchStage: (at: Target) => talosctl(at, false, 'get', 'machinestatus', 'machine', '--watch', '-o', 'json'),
  /** One node a call. */
  bootId: (at: Target) => talosctl(at, false, 'read', BOOT_ID),
  /** Lines of machined since the boot, each after `<node>: `. */
  machinedLog: (at: Target) => talosctl(at, false, 'logs', 'machined'),
  /** Writes a file that must not be there; talosctl gives it mode 0600. */
  kubeconfig: (at: Target, path: string) => talosctl(at, false, 'kubeconfig', path, '--merge=false'),
  etcdMembers: (at: Target) => talosctl(at, false, 'etcd', 'members'),
  etcdStatus: (at: Target) => talosctl(at, false, 'etcd', 'status'),
  etcdAlarms: (at: Target) => talosctl(at, false, 'etcd', 'alarm', 'list'),
  /** Falls back to `MachineService.ImagePull` by itself where the node has no image service (below 1.13). */
  pull: (at: Target, image: string) => talosctl(at, true, 'image', 'pull', '--namespace=system', image),
  /** Writes the other slot, leaves the node running. CLI ≥ 1.13.7; below node 1.13 it silently reboots as well. */
  install: (at: Target, image: string) =>
    talosctl(at, true, 'upgrade', `--image=${image}`, '--no-reboot', '--progress=plain'),
  /**
   * The one call of Talos below 1.13; `--wait=false` counts only next to `--drain=false`. `--legacy` so that it is this
   * call and no other, whatever the node runs by now. Returns when the node has pulled, checked and begun.
   */
  upgradeLegacy: (at: Target, image: string, force: boolean) =>
    talosctl(
      at,
      true,
      'upgrade',
      '--legacy',
      `--image=${image}`,
      '--wait=false',
      '--drain=false',
      ...(force ? ['--force'] : []),
    ),
  reboot: (at: Target, mode: RebootMode = 'default') =>
    talosctl(at, true, 'reboot', ...(mode === 'default' ? [] : [`--mode=${mode}`]), '--wait=false'),
  /** Fails with a single member: nobody could take over. */
  forfeitLeadership: (at: Target) => talosctl(at, true, 'etcd', 'forfeit-leadership'),
  /** Writes `path` by way of `path.part`, checks the size, renames, and opens it as the database that it should be. */
  snapshot: (at: Target, path: string) => talosctl(at, false, 'etcd', 'snapshot', path),
}
