/** What steps may ask of a Talos cluster, in the field's words. `createTalos` answers with the real talosctl. */
import { existsSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import type { NodeDeclaration, NodeName, TalosVersion } from '../../workflows/model/cluster.ts'
import { type FailureReason, failure, type Result } from '../../workflows/model/failure.ts'
import type {
  Configuration,
  EtcdObservation,
  Inspection,
  NodeFacts,
  NodeObservation,
} from '../../workflows/model/observation.ts'
import { STEPS } from '../../workflows/model/step-facts.ts'
import type { MachineMode } from '../../workflows/plan/configuration.ts'
import type { RebootMode } from '../../workflows/plan/plan.ts'
import type { Command, Run, RunOptions } from '../run.ts'
import { isDone } from '../tools/ended.ts'
import { createAsk } from '../tools/talosctl/ask.ts'
import { failureOf } from '../tools/talosctl/failure-of.ts'
import { endOf } from '../tools/talosctl/goes-on.ts'
import { type Boots, bootOf, inspect } from '../tools/talosctl/inspect.ts'
import { judgeConfigurations } from '../tools/talosctl/judge-configurations.ts'
import { activeConfiguration, readConfiguration } from '../tools/talosctl/machine-config.ts'
import { type KnownOfEtcd, observeEtcd } from '../tools/talosctl/observe-etcd.ts'
import {
  getOfEach,
  type OfMachine,
  observeNodes,
  otherSlots,
  readBootId,
  UNREAD,
} from '../tools/talosctl/observe-nodes.ts'
import { readResources, resourceReader } from '../tools/talosctl/resources.ts'
import { readKernelCmdline, readNodename, readRulePattern, readStage } from '../tools/talosctl/specs.ts'
import { readVersions } from '../tools/talosctl/versions.ts'
import { createWays, type WaysConfig } from '../tools/talosctl/ways.ts'
import { type Target, talosctlCommands } from '../tools/talosctl.ts'
import { knock } from './knock.ts'
import { resolveHost } from './resolve-host.ts'
import { waitsInMaintenance } from './waits-in-maintenance.ts'

export type CallOptions = {
  /** aborts the command with its process group; ignored by `install` and `upgradeLegacy`, which are never cut off */
  signal?: AbortSignal | undefined
  timeoutMs: number
  /** file that the command's shell writes its pid to before it becomes the tool; how a later run finds an orphan */
  processFile?: string | undefined
}

/** The few things that tell whether a node came back, read in one go. */
export type Glance = Status & { version: string; bootId: string }

export type Status = Pick<NodeFacts, 'stage' | 'ready' | 'unmet'>

/** The release that nodes are to run next, and how those of them that are to be judged run. */
export type Judge = { to: TalosVersion; modes: Readonly<Record<NodeName, MachineMode>> }

export interface Talos {
  /**
   * Everything about the nodes that can be read; a node that does not answer carries why. `again` leaves out what no verdict speaks
   * of, where all of them were observed before. Never rejects.
   */
  observeNodes(
    nodes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'> & { again?: boolean },
  ): Promise<Record<NodeName, NodeObservation>>
  /** Every declared control plane's own view of etcd, laid side by side; what is `known` is not asked. Never rejects. */
  observeEtcd(
    controlPlanes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'> & { known?: KnownOfEtcd },
  ): Promise<EtcdObservation>
  /** The same as far as the status of each member tells it: who leads, votes, has caught up, and which alarms it repeats. */
  etcdStatus(
    controlPlanes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'> & { known?: KnownOfEtcd },
  ): Promise<EtcdObservation>
  /** The stage of each node, asked for together. Never rejects. */
  stages(
    nodes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<Record<NodeName, Result<Status>>>
  /** What the node runs and what waits in its other slot, which without `slot` is left unread. */
  inspect(
    node: NodeDeclaration,
    options: Omit<CallOptions, 'processFile'> & { slot?: boolean },
  ): Promise<Result<Inspection>>
  /** What waits in the other slot of a node that runs `version`, and in which boot of it. */
  otherSlot(
    node: NodeDeclaration,
    version: TalosVersion,
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<Result<Pick<Inspection, 'bootId' | 'otherSlot'>>>
  /**
   * Whether a machine configuration is pending, and a hash of it; with `judge` also what talosctl says of it, as of a release.
   * Only the admin role may read it; nothing of its text is kept. Never rejects.
   */
  configurations(
    nodes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'> & { judge?: Judge },
  ): Promise<Record<NodeName, Result<Configuration>>>
  /** Of the rules by which the node verifies images, in their order, which images they fit. Never rejects. */
  verificationPatterns(node: NodeDeclaration, options: Omit<CallOptions, 'processFile'>): Promise<Result<string[]>>
  /** What the node's kernel was started with; undefined where it can not be read. Never rejects. */
  kernelCmdline(node: NodeDeclaration, options: Omit<CallOptions, 'processFile'>): Promise<string | undefined>
  glance(node: NodeDeclaration, options: Omit<CallOptions, 'processFile'>): Promise<Result<Glance>>
  /** Who the machine is in this boot: what tells its Node in Kubernetes. Of a boot that is `known` its id is all that is asked for. */
  identity(
    node: NodeDeclaration,
    options: Omit<CallOptions, 'processFile'> & { known?: string },
  ): Promise<Result<Pick<NodeFacts, 'bootId' | 'nodename'>>>
  /**
   * Streams the machine's stage from the node itself until the stream breaks or the signal aborts.
   * `seen` is called with the present state first. Resolves when the stream ended, for whatever reason.
   */
  watchStage(
    node: NodeDeclaration,
    seen: (status: Status) => void,
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<void>
  /** Pulls the installer image into the node's system namespace. */
  pull(node: NodeDeclaration, image: string, options: CallOptions): Promise<Result<void>>
  /** `upgrade --no-reboot`: writes the other slot and leaves the node running. Node ≥ 1.13.0 only. */
  install(node: NodeDeclaration, image: string, options: CallOptions): Promise<Result<void>>
  /** The one call of Talos below 1.13 that installs and reboots; `force` skips the node's own etcd check. */
  upgradeLegacy(node: NodeDeclaration, image: string, options: CallOptions & { force: boolean }): Promise<Result<void>>
  /** Asks for a reboot and does not wait for it. */
  reboot(node: NodeDeclaration, options: CallOptions & { mode?: RebootMode }): Promise<Result<void>>
  forfeitLeadership(node: NodeDeclaration, options: CallOptions): Promise<Result<void>>
  /** Writes a new administrator's kubeconfig to `path`, which must not be there yet. */
  kubeconfig(node: NodeDeclaration, path: string, options: Omit<CallOptions, 'processFile'>): Promise<Result<void>>
  /** Saves a snapshot of the node's etcd member to `path` (0600) and has it verified; resolves with what was verified. */
  snapshot(node: NodeDeclaration, path: string, options: CallOptions): Promise<Result<{ info: string }>>
}

/** Stages of a machine that is about to leave its boot. */
const LEAVING: ReadonlySet<string> = new Set(['rebooting', 'shutting down', 'resetting', 'upgrading'])

/** The reasons that a call is given when the text of talosctl says nothing more precise. */
const REASONS = {
  pull: { failed: 'image-pull-failed', late: 'image-pull-timed-out' },
  install: { failed: 'install-failed', late: 'install-timed-out' },
  reboot: { failed: 'reboot-failed', late: 'reboot-failed' },
  forfeitLeadership: { failed: 'handover-failed', late: 'handover-failed' },
  snapshot: { failed: 'snapshot-failed', late: 'snapshot-failed' },
} as const satisfies Record<string, { failed: FailureReason; late: FailureReason }>

/**
 * Talos by way of talosctl. `endpoints` are those of the talosconfig or the control planes, never the virtual IP. Calls that
 * disrupt a node go through another endpoint while there is one; questions about a node go to the node itself first, where
 * it answers a knock.
 */
export function createTalos(
  run: Run,
  config: { talosconfig: string } & Pick<WaysConfig, 'endpoints' | 'nodes'> &
    Partial<Pick<WaysConfig, 'knock' | 'waitsInMaintenance' | 'resolve'>>,
): Talos {
  // talosctl would create the file that is missing.
  const guarded: Run = async (command, options) =>
    existsSync(config.talosconfig)
      ? run(command, options)
      : { stdout: '', stderr: `talosconfig is missing: ${config.talosconfig}`, ended: { by: 'exit', code: 1 } }
  const ways = createWays({ knock, waitsInMaintenance, resolve: resolveHost, ...config })
  const ask = createAsk(guarded, config, ways)
  const boots: Boots = new Map()
  const machines = new Map<string, OfMachine>()
  const until = ({ signal, timeoutMs }: Omit<CallOptions, 'processFile'>) => ({
    signal,
    deadlineAt: performance.now() + timeoutMs,
  })

  const change = async (
    node: NodeDeclaration,
    build: (at: Target) => Command,
    reasons: { failed: FailureReason; late: FailureReason },
    options: CallOptions,
    more: RunOptions = {},
  ): Promise<Result<{ stdout: string }>> => {
    const { processFile } = options
    const answer = await ask.change(node.address, build, {
      ...until(options),
      processFile,
      ...more,
    })
    if (isDone(answer)) return { ok: true, value: { stdout: answer.stdout } }
    return { ok: false, failure: { ...failureOf(answer, reasons), node: node.name } }
  }
  /** The boot that a node is in now. */
  const bootIdOf = async ({ address, name: node }: NodeDeclaration, limits: ReturnType<typeof until>) => {
    const bootId = readBootId(await ask.one(address, talosctlCommands.bootId, limits))
    return bootId.ok ? bootId : { ok: false as const, failure: { ...bootId.failure, node } }
  }
  const nothing = (result: Result<unknown>): Result<void> => (result.ok ? { ok: true, value: undefined } : result)

  return {
    async observeNodes(nodes, { again, ...options }) {
      const seen = await observeNodes(ask, nodes, { ...until(options), again: again ? machines : undefined })
      for (const { name, address } of nodes) {
        const found = seen[name]
        if (found?.reachable) machines.set(address, found)
        if (!found?.reachable || boots.get(address)?.bootId === found.bootId) continue
        // what else was told is asked for once more: a machine may have booted between two answers
        boots.set(address, { bootId: found.bootId })
      }
      return seen
    },

    observeEtcd: (controlPlanes, { known = {}, ...options }) =>
      observeEtcd(ask, controlPlanes, { ...until(options), known }),

    etcdStatus: (controlPlanes, { known = {}, ...options }) =>
      observeEtcd(ask, controlPlanes, { ...until(options), known, only: 'status' }),

    async stages(nodes, options) {
      const found = await getOfEach(ask, nodes, 'machinestatus', 'one', until(options))
      return Object.fromEntries(
        nodes.map(({ name, address }): [NodeName, Result<Status>] => {
          const answer = found.get(address)
          const status = readStage(answer?.resources[0])
          if (status) return [name, { ok: true, value: status }]
          const failed = answer?.failure ?? failure('garbage-answer', { detail: 'its stage can not be read' })
          return [name, { ok: false, failure: { ...failed, node: name } }]
        }),
      )
    },

    async verificationPatterns(node, options) {
      const { address, name } = node
      const found = await getOfEach(ask, [node], 'imageverificationrules', 'several', until(options))
      const { resources, failure: failed } = found.get(address) ?? { resources: [] }
      // their ids are places with leading zeros, which talosctl prints as numbers, some of them as octal ones
      return failed
        ? { ok: false, failure: { ...failed, node: name } }
        : { ok: true, value: resources.map((resource) => readRulePattern(resource)?.imagePattern ?? '') }
    },

    async kernelCmdline(node, options) {
      const { address } = node
      const found = await getOfEach(ask, [node], 'kernelcmdline', 'perhaps one', until(options))
      return readKernelCmdline(found.get(address)?.resources[0])
    },

    async configurations(nodes, { judge, ...options }) {
      const found = await getOfEach(ask, nodes, 'machineconfig', 'several', until(options))
      const judged = nodes.flatMap(({ name, address }) => {
        const text = activeConfiguration(found.get(address)?.resources ?? [])
        const mode = judge?.modes[name]
        return text === undefined || mode === undefined ? [] : [{ name, text, mode }]
      })
      const { signal } = options
      const objections = await judgeConfigurations(run, judged, { strict: false, signal })
      return Object.fromEntries(
        nodes.map(({ name, address }): [NodeName, Result<Configuration>] => {
          const answer = found.get(address)
          const configuration = readConfiguration(answer?.resources ?? [])
          if (configuration && judge && judged.some((one) => one.name === name)) {
            const objection = objections.get(name)
            const verdict = { for: judge.to, ...(objection === undefined ? {} : { objection }) }
            return [name, { ok: true, value: { ...configuration, judged: verdict } }]
          }
          if (configuration) return [name, { ok: true, value: configuration }]
          const failed = answer?.failure ?? failure('garbage-answer', { detail: 'has no machine configuration' })
          return [name, { ok: false, failure: { ...failed, node: name } }]
        }),
      )
    },

    inspect: (node, { slot = true, ...options }) => inspect(ask, boots, node, { ...until(options), slot }),

    async otherSlot(node, version, options) {
      const { address } = node
      const limits = until(options)
      // the boot id after the log: of a node that boots in between nothing is told that was true before
      const { slot, log } = (await otherSlots(ask, [{ address, version }], limits)).get(address) ?? { slot: UNREAD }
      const bootId = await bootOf(ask, boots, address, log, limits)
      if (!bootId.ok) return { ok: false, failure: { ...bootId.failure, node: node.name } }
      const known = boots.get(address)
      if (log && known?.bootId === bootId.value) boots.set(address, { ...known, logEnd: endOf(log) })
      return { ok: true, value: { bootId: bootId.value, otherSlot: slot } }
    },

    async glance(node, options) {
      const { address, name } = node
      const limits = until(options)
      // The stage first, and the boot id after it: who sees an old boot id then knows that the stage is no newer. The
      // other way round, a node that reboots in between looks as if it had not.
      const stageAnswer = await ask.one(address, (at) => talosctlCommands.get(at, 'machinestatus', 'machine'), limits)
      const status = readStage(readResources(stageAnswer.stdout)[0])
      if (!status) {
        const unread = failure('garbage-answer', { detail: 'its stage can not be read' })
        return { ok: false, failure: { ...(isDone(stageAnswer) ? unread : failureOf(stageAnswer)), node: name } }
      }
      const last = boots.get(address)
      const sameAs = ({ bootId }: { bootId: string }) => (last?.bootId === bootId ? last.version : undefined)
      // on its way down it is in the boot that was seen
      const leaves = last && LEAVING.has(status.stage) ? sameAs(last) : undefined
      if (last && leaves !== undefined) return { ok: true, value: { version: leaves, bootId: last.bootId, ...status } }
      const bootId = await bootIdOf(node, limits)
      if (!bootId.ok) return bootId
      const known = sameAs({ bootId: bootId.value })
      if (known !== undefined) return { ok: true, value: { version: known, bootId: bootId.value, ...status } }
      const version = readVersions([address], await ask.one(address, talosctlCommands.version, limits)).get(address)
      if (!version?.ok)
        return { ok: false, failure: { ...(version?.failure ?? failure('garbage-answer')), node: name } }
      boots.set(address, { bootId: bootId.value, version: version.value })
      return { ok: true, value: { version: version.value, bootId: bootId.value, ...status } }
    },

    async identity(node, { known, ...options }) {
      const { address } = node
      const limits = until(options)
      const bootId = await bootIdOf(node, limits)
      if (!bootId.ok) return bootId
      if (bootId.value === known) return { ok: true, value: { bootId: bootId.value } }
      const nodenames = await ask.one(address, (at) => talosctlCommands.get(at, 'nodename'), limits)
      const nodename = readNodename(readResources(nodenames.stdout)[0])?.nodename
      return { ok: true, value: { bootId: bootId.value, ...(nodename === undefined ? {} : { nodename }) } }
    },

    async watchStage({ address }, seen, { signal, timeoutMs }) {
      const deadline = performance.now() + timeoutMs
      let told = false
      const feed = resourceReader((resource) => {
        const status = readStage(resource)
        if (!status) return
        told = true
        seen(status)
      })
      for (const endpoint of (await ways.toAsk(address)).through) {
        const leftMs = deadline - performance.now()
        if (told || leftMs <= 0 || signal?.aborted) return
        const at = { talosconfig: config.talosconfig, endpoint, nodes: [address], timeoutMs: leftMs }
        await guarded(talosctlCommands.watchStage(at), { signal, onLine: feed })
      }
    },

    pull: async (node, image, options) =>
      nothing(await change(node, (at) => talosctlCommands.pull(at, image), REASONS.pull, options)),

    install: async (node, image, options) =>
      nothing(
        await change(node, (at) => talosctlCommands.install(at, image), REASONS.install, options, {
          uninterruptible: STEPS.install.writesSlot,
        }),
      ),

    upgradeLegacy: async (node, image, { force, ...options }) =>
      nothing(
        await change(node, (at) => talosctlCommands.upgradeLegacy(at, image, force), REASONS.install, options, {
          uninterruptible: STEPS.upgrade.writesSlot,
        }),
      ),

    reboot: async (node, { mode, ...options }) =>
      nothing(await change(node, (at) => talosctlCommands.reboot(at, mode), REASONS.reboot, options)),

    forfeitLeadership: async (node, options) =>
      nothing(await change(node, talosctlCommands.forfeitLeadership, REASONS.forfeitLeadership, options)),

    async kubeconfig({ address, name }, path, options) {
      const build = (at: Target) => talosctlCommands.kubeconfig(at, path)
      const answer = await ask.one(address, build, until(options))
      if (isDone(answer)) return { ok: true, value: undefined }
      return { ok: false, failure: { ...failureOf(answer), node: name } }
    },

    async snapshot(node, path, options) {
      const result = await change(node, (at) => talosctlCommands.snapshot(at, path), REASONS.snapshot, options)
      // talosctl opened the file as etcd would, after it had checked its size and its sha256 trailer.
      const info = result.ok ? /^snapshot info: (.+)$/m.exec(result.value.stdout)?.[1] : undefined
      const size = await stat(path).then(
        (file) => file.size,
        () => 0,
      )
      if (info !== undefined && size > 0) return { ok: true, value: { info } }
      await Promise.all([path, `${path}.part`].map((file) => rm(file, { force: true })))
      if (!result.ok) return result
      return { ok: false, failure: failure('snapshot-failed', { node: node.name, detail: 'it was not verified' }) }
    },
  }
}
