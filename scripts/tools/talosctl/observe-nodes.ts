import { setTimeout as pause } from 'node:timers/promises'
import type { NodeDeclaration, NodeName } from '../../../workflows/model/cluster.ts'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import type { NodeFacts, NodeObservation, OtherSlot } from '../../../workflows/model/observation.ts'
import { isDone } from '../ended.ts'
import { type Target, talosctlCommands } from '../talosctl.ts'
import type { Answer, Ask, AskOptions, EachOptions } from './ask.ts'
import { failureOf } from './failure-of.ts'
import { createGathering } from './gathering.ts'
import { linesByNode } from './lines-by-node.ts'
import { readOtherSlot } from './other-slot.ts'
import { type Resource, readResources } from './resources.ts'
import {
  readExtensions,
  readHostname,
  readKernelCmdline,
  readKubeletVersion,
  readNodename,
  readPlatform,
  readRole,
  readSecurityState,
  readStage,
} from './specs.ts'
import { readVersions } from './versions.ts'

/** What no boot of a machine changes. */
export type OfMachine = Pick<NodeFacts, 'platform' | 'secureBoot'>

/** `again`: what is known of each machine by its address, whose kubelet and kernel are not asked for either. */
type How = AskOptions & { again?: ReadonlyMap<string, OfMachine> | undefined }

/** A node that told its version. */
type Answering = { node: NodeDeclaration; version: string }

/** After machined logged the start, how long until the installer's process shows (container, snapshot, task). */
const INSTALLER_STARTS_WITHIN_MS = 3000

/**
 * Everything that can be read about the nodes. `version` tells who answers; only those are named in the calls that
 * follow, one a kind of resource, and those together: nobody is read before it is known who answers, unless that takes half
 * of the time, so that a silent node costs nobody else's time, and few processes. Never rejects.
 */
export async function observeNodes(
  ask: Ask,
  nodes: readonly NodeDeclaration[],
  { again, ...options }: How,
): Promise<Record<NodeName, NodeObservation>> {
  const seen = new Map<NodeName, NodeObservation>()
  const fail = ({ name }: NodeDeclaration, failed: Failure) =>
    seen.set(name, { reachable: false, failure: { ...failed, node: name } })
  const answering = createGathering<Answering>(async (group) => {
    for (const [name, observation] of await readFacts(ask, group, { ...options, again })) seen.set(name, observation)
  }, options.deadlineAt)
  const outstanding = new Set(nodes.map(({ address }) => address))
  const take = (asked: readonly string[], answer: Answer): string[] => {
    const versions = readVersions(asked, answer)
    const told: Answering[] = []
    const taken = nodes.flatMap((node) => {
      const version = versions.get(node.address)
      if (!version || !outstanding.has(node.address)) return []
      if (version.ok) told.push({ node, version: version.value })
      else if (version.failure.reason !== 'garbage-answer' && version.failure.reason !== 'permission-denied') return []
      else fail(node, version.failure)
      return [node.address]
    })
    for (const address of taken) outstanding.delete(address)
    answering.add(told, answer.ended.by === 'deadline' ? 0 : answer.tookMs)
    return taken
  }
  const addresses = nodes.map(({ address }) => address)
  const narrowed = (left: readonly string[]) => answering.narrowed(left.length)
  const silent = await ask.each(addresses, talosctlCommands.version, take, { ...options, narrowed })
  for (const node of nodes) {
    const answer = silent.get(node.address)
    if (!answer) continue
    const version = readVersions([node.address], answer).get(node.address)
    fail(node, version?.ok === false ? version.failure : failure('garbage-answer', { detail: 'tells no version' }))
  }
  await answering.end()
  return Object.fromEntries(
    nodes.map(({ name }) => [
      name,
      seen.get(name) ?? { reachable: false, failure: failure('node-unreachable', { node: name }) },
    ]),
  )
}

async function readFacts(
  ask: Ask,
  group: readonly Answering[],
  { again, ...options }: How,
): Promise<Map<NodeName, NodeObservation>> {
  const nodes = group.map(({ node }) => node)
  const get = (kind: string, expect: Expect) => getOfEach(ask, nodes, kind, expect, options)
  const known = nodes.every(({ address }) => again?.has(address)) ? again : undefined
  const once = (kind: string, expect: Expect): Promise<Resources> =>
    known ? Promise.resolve(new Map()) : get(kind, expect)
  const [stages, extensions, security, platforms, kubelets, types, hostnames, nodenames, cmdlines, bootIds, slots] =
    await Promise.all([
      get('machinestatus', 'one'),
      get('extensions', 'several'),
      once('securitystate', 'one'),
      once('platformmetadata', 'one'),
      once('kubeletspec', 'perhaps one'),
      get('machinetype', 'one'),
      get('hostnamestatus', 'perhaps one'),
      get('nodename', 'perhaps one'),
      once('kernelcmdline', 'perhaps one'),
      bootIdsOf(ask, group, options),
      otherSlots(
        ask,
        group.map(({ node: { address }, version }) => ({ address, version })),
        options,
      ),
    ])
  return new Map(
    group.map(({ node, version }): [NodeName, NodeObservation] => {
      const of = (answers: Resources) => answers.get(node.address)
      const first = (answers: Resources) => of(answers)?.resources[0]
      const stage = readStage(first(stages))
      const images = readExtensions(of(extensions)?.resources ?? [])
      const secure = known?.get(node.address) ?? readSecurityState(first(security))
      const platform = known?.get(node.address) ?? readPlatform(first(platforms))
      const role = readRole(first(types))
      const { bootId, tookMs = 0 } = bootIds.get(node.address) ?? {}
      const kubeletVersion = readKubeletVersion(first(kubelets))
      const hostname = readHostname(first(hostnames))?.hostname
      const kernelCmdline = readKernelCmdline(first(cmdlines))
      const nodename = readNodename(first(nodenames))?.nodename
      const failed =
        [stages, security, platforms, types].map((answers) => of(answers)?.failure).find(Boolean) ??
        of(extensions)?.failure ??
        (bootId?.ok === false ? bootId.failure : undefined)
      if (failed || !stage || !images || !secure || !platform || !role || !bootId?.ok) {
        const lacks = Object.entries({ stage, extensions: images, 'security state': secure, platform, type: role })
          .filter(([, value]) => value === undefined)
          .map(([name]) => name)
        const detail = `tells its version, but no ${lacks[0] ?? 'boot id'} that can be read`
        return [
          node.name,
          { reachable: false, failure: { ...(failed ?? failure('garbage-answer', { detail })), node: node.name } },
        ]
      }
      const facts: NodeFacts = {
        version,
        ...stage,
        bootId: bootId.value,
        ...images,
        platform: platform.platform,
        secureBoot: secure.secureBoot,
        role,
        ...(hostname === undefined ? {} : { hostname }),
        ...(nodename === undefined ? {} : { nodename }),
        ...(kernelCmdline === undefined ? {} : { kernelCmdline }),
        ...(kubeletVersion === undefined ? {} : { kubeletVersion }),
        otherSlot: slots.get(node.address)?.slot ?? UNREAD,
        ...(tookMs < SLOW_MS ? {} : { slowMs: Math.round(tookMs) }),
      }
      return [node.name, { reachable: true, ...facts }]
    }),
  )
}

type Resources = Map<string, { resources: Resource[]; failure?: Failure }>

/** How many resources of a kind a node has. Of several, some could be missing in an output that broke off. */
type Expect = 'one' | 'perhaps one' | 'several'

/** The resources of one kind, by address; `came` is told of each node's as soon as they are there. */
export async function getOfEach(
  ask: Ask,
  nodes: readonly NodeDeclaration[],
  kind: string,
  expect: Expect,
  { came, ...options }: EachOptions & { came?: (address: string, resources: readonly Resource[]) => void },
): Promise<Resources> {
  const found: Resources = new Map()
  const take = (asked: readonly string[], answer: Answer): string[] => {
    const resources = readResources(answer.stdout)
    const whole = isDone(answer) && resources.every(({ node }) => asked.includes(node))
    // node by node: where talosctl ended by itself, a node of which it printed anything is whole
    const ended = answer.ended.by === 'exit'
    return asked.filter((address) => {
      const own = resources.filter(({ node }) => node === address)
      if (!(own.length > 0 && (ended || expect !== 'several')) && !(whole && expect !== 'one')) return false
      if (!found.has(address)) came?.(address, own)
      found.set(address, { resources: own })
      return true
    })
  }
  const addresses = nodes.map(({ address }) => address)
  const missing = await ask.each(addresses, (at) => talosctlCommands.get(at, kind), take, options)
  for (const [address, answer] of missing) {
    const failed = isDone(answer) ? failure('garbage-answer', { detail: `has no ${kind}` }) : failureOf(answer)
    found.set(address, { resources: [], failure: failed })
  }
  return found
}

/** What takes longer is told: an idle node answers in a tenth of it, one under load took 4–6 s. */
const SLOW_MS = 3000

type BootId = { ok: true; value: string } | { ok: false; failure: Failure }

async function bootIdsOf(
  ask: Ask,
  group: readonly Answering[],
  options: AskOptions,
): Promise<Map<string, { bootId: BootId; tookMs: number }>> {
  return new Map(
    await Promise.all(
      group.map(async ({ node: { address } }): Promise<[string, { bootId: BootId; tookMs: number }]> => {
        const answer = await ask.one(address, talosctlCommands.bootId, options)
        return [address, { bootId: readBootId(answer), tookMs: answer.tookMs }]
      }),
    ),
  )
}

/** The uuid that `read /proc/sys/kernel/random/boot_id` gave. */
export function readBootId(answer: Answer): BootId {
  if (!isDone(answer)) return { ok: false, failure: failureOf(answer) }
  const bootId = answer.stdout.trim()
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(bootId)
    ? { ok: true, value: bootId }
    : { ok: false, failure: failure('garbage-answer', { detail: 'its boot id is none' }) }
}

/** A node whose log is read, in the words of its release; undefined where that could not be read. */
type Logging = { address: string; version: string | Promise<string | undefined> }

/** What a log of machined tells of the other slot; without the log where it could not be read. */
type Logged = { slot: OtherSlot; log?: readonly string[] | undefined }

/** What waits in the other slot of each node, by address, and the log that told it. */
export async function otherSlots(
  ask: Ask,
  nodes: readonly Logging[],
  options: AskOptions,
): Promise<Map<string, Logged>> {
  const addresses = nodes.map(({ address }) => address)
  const logs = await machinedLogs(ask, addresses, options)
  return new Map(
    await Promise.all(
      nodes.map(async (node): Promise<[string, Logged]> => {
        const log = logs.get(node.address)
        const version = await node.version
        const slot = log && version !== undefined ? readOtherSlot(log, version, undefined) : UNREAD
        if (slot.state !== 'installing' || version === undefined) return [node.address, { slot, log }]
        return [node.address, await installingOrCutOff(ask, { ...node, version }, { slot, log }, options)]
      }),
    ),
  )
}

/** What is known of a slot where the log could not be read. */
export const UNREAD: OtherSlot = { state: 'unknown', why: 'unread' }

/**
 * Whether the installer of an installation without an end still runs: its process is on record as the service
 * `installer` (ServicePIDs.runtime.talos.dev, internal/app/lifecycle/container.go). Watched for a moment, because the
 * process comes after the line in the log, and goes before the line that tells of its end was read.
 */
async function installingOrCutOff(
  ask: Ask,
  { address, version }: { address: string; version: string },
  { slot, log }: Logged,
  options: AskOptions,
): Promise<Logged> {
  const believeAt = Math.min(options.deadlineAt, performance.now() + INSTALLER_STARTS_WITHIN_MS)
  const processes = (at: Target) => talosctlCommands.get(at, 'servicepids')
  for (;;) {
    const answer = await ask.one(address, processes, options)
    if (!isDone(answer) || readResources(answer.stdout).some(({ id }) => id === 'installer')) return { slot, log }
    const late = performance.now() >= believeAt
    const lines = (await machinedLogs(ask, [address], options)).get(address)
    const now = lines ? readOtherSlot(lines, version, late ? false : undefined) : slot
    if (now.state !== 'installing' || late) return { slot: now, log: lines }
    await pause(200)
  }
}

/** The lines of machined's log, by address; absent where they could not be read. */
async function machinedLogs(
  ask: Ask,
  addresses: readonly string[],
  options: AskOptions,
): Promise<Map<string, string[]>> {
  const logs = new Map<string, string[]>()
  const take = (asked: readonly string[], answer: Answer): string[] => {
    // an output that broke off may lack just the line that matters
    if (!isDone(answer)) return []
    const lines = linesByNode(asked, answer.stdout)
    for (const [address, own] of lines) logs.set(address, own)
    const [only] = asked
    if (asked.length === 1 && only !== undefined && !lines.has(only)) logs.set(only, [])
    return asked.filter((address) => logs.has(address))
  }
  await ask.each(addresses, talosctlCommands.machinedLog, take, options)
  return logs
}
