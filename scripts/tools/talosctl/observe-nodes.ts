import { setTimeout as pause } from 'node:timers/promises'
import type { NodeDeclaration, NodeName } from '../../../workflows/model/cluster.ts'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import type { NodeFacts, NodeObservation, OtherSlot } from '../../../workflows/model/observation.ts'
import { type Target, talosctlCommands } from '../talosctl.ts'
import type { Answer, Ask, AskOptions } from './ask.ts'
import { failureOf } from './failure-of.ts'
import { linesByNode } from './lines-by-node.ts'
import { nodeErrors } from './node-errors.ts'
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

/** A node that told its version, and the endpoint that it did so through. */
type Answering = { node: NodeDeclaration; version: string; via: string }

/** After machined logged the start, how long until the installer's process shows (container, snapshot, task). */
const INSTALLER_STARTS_WITHIN_MS = 3000

/**
 * Everything that can be read about the nodes. `version` tells who answers; only those are named in the calls that
 * follow, one a kind of resource; what is missing then is asked for once more, alone. A node that did not answer is asked
 * alone while the others are read, so that a silent one costs nobody else's time. Never rejects.
 */
export async function observeNodes(
  ask: Ask,
  nodes: readonly NodeDeclaration[],
  options: AskOptions,
): Promise<Record<NodeName, NodeObservation>> {
  const seen = new Map<NodeName, NodeObservation>()
  const read = async (answering: Answering[]) => {
    const [first] = answering
    if (!first) return
    for (const [name, observation] of await readFacts(ask, first.via, answering, options)) seen.set(name, observation)
  }
  /** Whether the node needs to be asked no more. */
  const fail = ({ name }: NodeDeclaration, failed: Failure): boolean => {
    seen.set(name, { reachable: false, failure: { ...failed, node: name } })
    return failed.reason === 'garbage-answer' || failed.reason === 'permission-denied'
  }

  const together: Answering[] = []
  let alone = [...nodes]
  if (nodes.length > 1) {
    const addresses = nodes.map(({ address }) => address)
    const answer = await ask.many(addresses, talosctlCommands.version, ask.endpoints().othersFirst, options)
    const versions = readVersions(addresses, answer)
    alone = nodes.filter((node) => {
      const version = versions.get(node.address)
      if (version?.ok) together.push({ node, version: version.value, via: answer.endpoint })
      return !version?.ok && !(version && fail(node, version.failure))
    })
  }
  await Promise.all([
    read(together),
    ...alone.map(async (node) => {
      const { selfFirst } = ask.endpoints(node.address)
      const answer = await ask.one(node.address, talosctlCommands.version, selfFirst, options)
      const version = readVersions([node.address], answer).get(node.address)
      if (version?.ok) await read([{ node, version: version.value, via: answer.endpoint }])
      else fail(node, version?.failure ?? failure('garbage-answer', { detail: 'tells no version' }))
    }),
  ])
  return Object.fromEntries(
    nodes.map(({ name }) => [
      name,
      seen.get(name) ?? { reachable: false, failure: failure('node-unreachable', { node: name }) },
    ]),
  )
}

async function readFacts(
  ask: Ask,
  via: string,
  group: readonly Answering[],
  options: AskOptions,
): Promise<Map<NodeName, NodeObservation>> {
  const nodes = group.map(({ node }) => node)
  const get = (kind: string, expect: Expect) => getOfEach(ask, via, nodes, kind, expect, options)
  const [stages, extensions, security, platforms, kubelets, types, hostnames, nodenames, cmdlines, bootIds, slots] =
    await Promise.all([
      get('machinestatus', 'one'),
      get('extensions', 'several'),
      get('securitystate', 'one'),
      get('platformmetadata', 'one'),
      get('kubeletspec', 'perhaps one'),
      get('machinetype', 'one'),
      get('hostnamestatus', 'perhaps one'),
      get('nodename', 'perhaps one'),
      get('kernelcmdline', 'perhaps one'),
      bootIdsOf(ask, via, group, options),
      otherSlots(
        ask,
        via,
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
      const secure = readSecurityState(first(security))
      const platform = readPlatform(first(platforms))
      const role = readRole(first(types))
      const bootId = bootIds.get(node.address)
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
        otherSlot: slots.get(node.address) ?? { state: 'unknown', why: 'unread' },
      }
      return [node.name, { reachable: true, ...facts }]
    }),
  )
}

type Resources = Map<string, { resources: Resource[]; failure?: Failure }>

/** How many resources of a kind a node has. Of several, some could be missing in an output that broke off. */
type Expect = 'one' | 'perhaps one' | 'several'

/** The resources of one kind, by address; `via` is an endpoint that worked lately. */
export async function getOfEach(
  ask: Ask,
  via: string,
  nodes: readonly NodeDeclaration[],
  kind: string,
  expect: Expect,
  options: AskOptions,
): Promise<Resources> {
  const build = (at: Target) => talosctlCommands.get(at, kind)
  const found: Resources = new Map()
  const take = (answer: Answer, addresses: readonly string[]) => {
    const resources = readResources(answer.stdout)
    const whole = isWhole(answer) && resources.every(({ node }) => addresses.includes(node))
    for (const address of addresses) {
      const own = resources.filter(({ node }) => node === address)
      if ((own.length > 0 && expect !== 'several') || (whole && expect !== 'one'))
        found.set(address, { resources: own })
    }
  }
  if (nodes.length > 1) {
    const addresses = nodes.map(({ address }) => address)
    const answer = await ask.many(addresses, build, [via], options)
    take(answer, addresses)
    // talosctl 1.14 gets nothing of anybody where a single node does not tell its version
    const failing = nodeErrors(answer.stderr)
    const others = addresses.filter((address) => !failing.has(address))
    if (found.size === 0 && failing.size > 0 && others.length > 1)
      take(await ask.many(others, build, [via], options), others)
  }
  await Promise.all(
    nodes.map(async ({ address }) => {
      if (found.has(address)) return
      const answer = await ask.one(address, build, through(ask, via, address), options)
      take(answer, [address])
      if (found.has(address)) return
      const said = isWhole(answer)
      const missing = failure('garbage-answer', { detail: `has no ${kind}` })
      found.set(address, { resources: [], failure: said ? missing : failureOf(answer) })
    }),
  )
  return found
}

type BootId = { ok: true; value: string } | { ok: false; failure: Failure }

async function bootIdsOf(
  ask: Ask,
  via: string,
  group: readonly Answering[],
  options: AskOptions,
): Promise<Map<string, BootId>> {
  return new Map(
    await Promise.all(
      group.map(async ({ node: { address } }): Promise<[string, BootId]> => {
        const answer = await ask.one(address, talosctlCommands.bootId, through(ask, via, address), options)
        return [address, readBootId(answer)]
      }),
    ),
  )
}

/** The uuid that `read /proc/sys/kernel/random/boot_id` gave. */
export function readBootId(answer: Answer): BootId {
  if (!isWhole(answer)) return { ok: false, failure: failureOf(answer) }
  const bootId = answer.stdout.trim()
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(bootId)
    ? { ok: true, value: bootId }
    : { ok: false, failure: failure('garbage-answer', { detail: 'its boot id is none' }) }
}

/** A node whose log is read, in the words of its release. */
type Logging = { address: string; version: string }

/** What waits in the other slot of each node, by address; `via` is an endpoint that worked lately. */
export async function otherSlots(
  ask: Ask,
  via: string,
  nodes: readonly Logging[],
  options: AskOptions,
): Promise<Map<string, OtherSlot>> {
  const addresses = nodes.map(({ address }) => address)
  const logs = new Map<string, string[]>()
  if (nodes.length > 1) {
    const answer = await ask.many(addresses, talosctlCommands.machinedLog, [via], options)
    // an output that broke off may lack just the line that matters
    if (isWhole(answer)) for (const [address, lines] of linesByNode(addresses, answer.stdout)) logs.set(address, lines)
  }
  return new Map(
    await Promise.all(
      nodes.map(async (node): Promise<[string, OtherSlot]> => {
        const lines = logs.get(node.address) ?? (await machinedLog(ask, via, node, options))
        const slot = lines ? readOtherSlot(lines, node.version, undefined) : UNREAD
        if (slot.state !== 'installing') return [node.address, slot]
        return [node.address, await installingOrCutOff(ask, via, node, slot, options)]
      }),
    ),
  )
}

const UNREAD: OtherSlot = { state: 'unknown', why: 'unread' }

/**
 * Whether the installer of an installation without an end still runs: its process is on record as the service
 * `installer` (ServicePIDs.runtime.talos.dev, internal/app/lifecycle/container.go). Watched for a moment, because the
 * process comes after the line in the log, and goes before the line that tells of its end was read.
 */
async function installingOrCutOff(
  ask: Ask,
  via: string,
  node: Logging,
  slot: OtherSlot,
  options: AskOptions,
): Promise<OtherSlot> {
  const { address, version } = node
  const believeAt = Math.min(options.deadlineAt, performance.now() + INSTALLER_STARTS_WITHIN_MS)
  const processes = (at: Target) => talosctlCommands.get(at, 'servicepids')
  for (;;) {
    const answer = await ask.one(address, processes, through(ask, via, address), options)
    if (!isWhole(answer) || readResources(answer.stdout).some(({ id }) => id === 'installer')) return slot
    const late = performance.now() >= believeAt
    const lines = await machinedLog(ask, via, node, options)
    const now = lines ? readOtherSlot(lines, version, late ? false : undefined) : slot
    if (now.state !== 'installing' || late) return now
    await pause(200)
  }
}

/** The lines of machined's log of one node; undefined where it could not be read. */
async function machinedLog(
  ask: Ask,
  via: string,
  { address }: Logging,
  options: AskOptions,
): Promise<string[] | undefined> {
  const answer = await ask.one(address, talosctlCommands.machinedLog, through(ask, via, address), options)
  if (!isWhole(answer)) return undefined
  return linesByNode([address], answer.stdout).get(address) ?? []
}

const isWhole = (answer: Answer): boolean => answer.exitCode === 0 && !answer.timedOut && !answer.aborted

/** The endpoint that worked, then the node itself, then the rest. */
function through(ask: Ask, via: string, address: string): string[] {
  return [via, ...ask.endpoints(address).selfFirst.filter((endpoint) => endpoint !== via)]
}
