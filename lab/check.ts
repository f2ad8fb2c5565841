import type { LoggedEvent } from './lab-event.ts'
import { LeaseWatch } from './lease-watch.ts'

/** A rule that the log of a run may not break. */
export type Invariant =
  | 'one-control-plane-down'
  | 'etcd-quorum'
  | 'others-ready'
  | 'looked-last'
  | 'one-install-a-boot'
  | 'install-not-cut-off'
  | 'config-kept'
  | 'nothing-wiped'
  | 'etcd-writes'
  | 'drained'
  | 'budgets-kept'
  | 'cordons-lifted'
  | 'foreign-cordons-kept'
  | 'lease-kept'

/** Where a log broke a rule, in a sentence. */
export type Breach = { invariant: Invariant; at: string; sentence: string }

/** Every invariant and what it says. */
export const invariants: Record<Invariant, string> = {
  'one-control-plane-down': 'Never two control planes down at once',
  'etcd-quorum': 'No reboot takes etcd its quorum',
  'others-ready': 'No control plane is rebooted while another one is down or not ready',
  'looked-last':
    'No control plane is told to reboot on an old look at etcd, or on one before it was drained and handed over',
  'one-install-a-boot': 'At most one installation between two boots: the other slot holds a version that has booted',
  'install-not-cut-off': 'No installation is cut off by taking its machine down',
  'config-kept': 'No installation, and no reboot into its version, on a configuration that somebody changed meanwhile',
  'nothing-wiped': 'Nothing is wiped',
  drained: 'No node is rebooted with pods on it that could run elsewhere',
  'budgets-kept': 'No pod is deleted whose PodDisruptionBudget allows no disruption',
  'cordons-lifted': 'No node is left cordoned by a run',
  'foreign-cordons-kept': 'No cordon of somebody else is lifted',
  'lease-kept': 'Nobody takes the Lease of the cluster from a run that lives',
  'etcd-writes': 'Writes go through every healthy etcd member, but for the length of an election',
}

/** Longest pause of writes that an election explains: etcd's own timeout is one to two seconds. */
const electionMs = 5000

/** The same while a majority of the members ran: then only a machine that has no time for etcd makes it longer. */
const busyElectionMs = 30_000

/** A look at etcd that is older than this is none: whoever looked may have slept. */
const freshLookMs = 60_000

const etcdStatus = '/machine.MachineService/EtcdStatus'
const handOver = '/machine.MachineService/EtcdForfeitLeadership'

type Seen = {
  role: 'controlplane' | 'worker'
  down: boolean
  ready: boolean
  etcd: 'voting' | 'stopped' | 'lagging'
  stoppedByFault: boolean
  installed: boolean
  /** what somebody did to its configuration: it waits for the next boot, or came after the installation */
  config: { staged: boolean; changedSince: boolean }
  /** the last time that somebody asked for the status of its etcd, and was answered */
  look: { line: number; at: string } | undefined
  /** lines of the log: when it was told to reboot, lost its power, was lost to the others */
  asked: number
  cut: number
  lost: number
  /** when a pod was last evicted from it, or its member was told to hand over */
  prepared: number
}

/** Judges a lab's log, in its order. Pure; events before `lab.up` are the lab's own start and do not count. */
export function checkLog(log: readonly LoggedEvent[]): Breach[] {
  const breaches: Breach[] = []
  const nodes = new Map<string, Seen>()
  const lease = new LeaseWatch()
  /** by the names of Nodes: a machine that was renamed has left one behind */
  const cordons = new Map<string, { run: string; at: string }>()
  for (const [line, event] of log.entries()) {
    const breach = (invariant: Invariant, sentence: string) => breaches.push({ invariant, at: event.at, sentence })
    if (event.type === 'lab.up') {
      for (const { name, role } of event.nodes) {
        nodes.set(name, {
          role,
          down: false,
          ready: true,
          etcd: 'voting',
          stoppedByFault: false,
          installed: false,
          config: { staged: false, changedSince: false },
          look: undefined,
          asked: 0,
          cut: 0,
          lost: 0,
          prepared: 0,
        })
      }
    }
    if (event.type === 'lab.down') break
    if (event.type === 'lease.changed' || event.type === 'lease.refused') {
      const sentence = lease.see(event)
      if (sentence !== undefined) breach('lease-kept', sentence)
    }
    if (event.type === 'node.cordoned' && event.run !== undefined)
      cordons.set(event.node, { run: event.run, at: event.at })
    if (event.type === 'node.uncordoned') {
      cordons.delete(event.node)
      if (event.run === undefined && event.by !== 'lab') {
        breach('foreign-cordons-kept', `${event.by} lifted a cordon on ${event.node} that was somebody else's`)
      }
    }
    const node = 'node' in event ? nodes.get(event.node) : undefined
    if (!('node' in event) || node === undefined) continue
    judge(event, node, nodes, breach)
    follow(event, node, line)
  }
  for (const [name, { run, at }] of cordons) {
    breaches.push({ invariant: 'cordons-lifted', at, sentence: `${name} was cordoned by ${run} and is so still` })
  }
  return breaches
}

function judge(
  event: LoggedEvent & { node: string },
  node: Seen,
  nodes: ReadonlyMap<string, Seen>,
  breach: (invariant: Invariant, sentence: string) => number,
): number | undefined {
  const members = [...nodes].filter(([, { role }]) => role === 'controlplane')
  const others = members.filter(([name]) => name !== event.node)
  const quorum = Math.floor(members.length / 2) + 1
  switch (event.type) {
    case 'machine.down': {
      // a power cut is nobody's doing, and neither is what met one that came after its request
      if (event.by === 'power-cut') return
      const down = others.filter(([, other]) => other.down && other.cut <= node.asked).map(([name]) => name)
      if (node.role === 'controlplane' && down.length > 0) {
        breach('one-control-plane-down', `${event.node} went down while ${down.join(', ')} was down`)
      }
      return undefined
    }
    case 'reboot.requested': {
      if (node.installed && (node.config.staged || node.config.changedSince)) {
        const what = 'into a version that was installed on another configuration'
        breach('config-kept', `${event.node} was told to reboot ${what}`)
      }
      if (node.role !== 'controlplane') return
      const unready = others.filter(([, other]) => other.down || !other.ready).map(([name]) => name)
      if (unready.length > 0) {
        breach('others-ready', `${event.node} was told to reboot while ${unready.join(', ')} was down or not ready`)
      }
      const voting = others.filter(([, other]) => other.etcd === 'voting').length
      // one or two members have no quorum to keep through a reboot: there it counts whether the rest was whole
      const needed = members.length < 3 ? others.length : quorum
      if (voting < needed) {
        breach(
          'etcd-quorum',
          `${event.node} was told to reboot with ${voting} other members voting, ${needed} are needed`,
        )
      }
      if (event.by === 'reboot' && others.length > 0) {
        const sentence = oldLook(event, node, others)
        if (sentence !== undefined) breach('looked-last', sentence)
      }
      return undefined
    }
    case 'install.started':
      if (node.config.staged) breach('config-kept', `${event.node} was installed to while a configuration was staged`)
      if (node.installed) breach('one-install-a-boot', `${event.node} was installed to again before it had booted`)
      return undefined
    case 'slot.lost':
      return breach(
        'one-install-a-boot',
        `${event.node} lost ${event.version}, the version that ran, to ${event.overwrittenWith}`,
      )
    case 'install.cut-off':
      // a fault is nobody's doing
      if (event.by === 'fault') return
      return breach(
        'install-not-cut-off',
        `the installation of ${event.image} on ${event.node} was cut off: ${event.reason}`,
      )
    case 'machine.wiped':
      return breach('nothing-wiped', `${event.what} was wiped on ${event.node}`)
    case 'node.loaded':
      if (event.evictable.length > 0) {
        breach('drained', `${event.node} was told to reboot with ${event.evictable.join(', ')} on it`)
      }
      return undefined
    case 'pod.deleted':
      if (event.budget !== undefined) {
        breach('budgets-kept', `${event.by} deleted ${event.pod}, of which ${event.budget} allowed no disruption`)
      }
      return undefined
    case 'etcd.gap': {
      const struck = members.filter(([, member]) => member.stoppedByFault).length
      const couldVote = members.length >= 3 && members.length - struck >= quorum
      const explained = event.running < quorum ? electionMs : busyElectionMs
      if (couldVote && event.ms > explained) {
        const ran = `${event.running} of ${members.length} members ran`
        breach('etcd-writes', `no write went through ${event.node} for ${event.ms} ms while ${ran}: ${event.reason}`)
      }
      return undefined
    }
    default:
      return undefined
  }
}

/** Why nobody could know how the rest of etcd stood when the node was told to reboot; undefined when somebody did. */
function oldLook(
  { node, at }: LoggedEvent & { node: string },
  { prepared }: Seen,
  others: readonly [string, Seen][],
): string | undefined {
  const told = `${node} was told to reboot`
  for (const [name, { look, lost }] of others) {
    if (look === undefined) return `${told}, and nobody had looked at etcd on ${name}`
    const ageMs = Date.parse(at) - Date.parse(look.at)
    if (ageMs > freshLookMs) return `${told} ${Math.round(ageMs / 1000)} s after the last look at etcd on ${name}`
    if (lost > look.line) return `${told}, and nobody had looked at etcd since ${name} was lost`
    if (prepared > look.line) return `${told}, drained or handed over after the last look at etcd on ${name}`
  }
  return undefined
}

function follow(event: LoggedEvent, node: Seen, line: number): void {
  switch (event.type) {
    case 'rpc':
      if (event.code === 'OK' && event.method === etcdStatus) node.look = { line, at: event.at }
      if (event.code === 'OK' && event.method === handOver) node.prepared = line
      return
    case 'pod.evicted':
      if (event.code === 201 && !event.dryRun) node.prepared = line
      return
    case 'reboot.requested':
      node.asked = line
      // its member is as good as gone: the process ends within the next moments
      node.etcd = 'stopped'
      node.ready = false
      return
    case 'machine.not-ready':
      node.lost = line
      node.ready = false
      return
    case 'machine.down':
      node.lost = line
      if (event.by === 'power-cut') node.cut = line
      node.down = true
      node.ready = false
      return
    case 'config.changed':
      node.config = {
        staged: event.how === 'staged',
        changedSince: event.how === 'taken back' ? false : node.installed,
      }
      return
    case 'machine.booting':
      node.installed = false
      node.config = { staged: false, changedSince: false }
      return
    case 'machine.running':
      node.down = false
      return
    case 'machine.ready':
      node.ready = true
      return
    case 'install.finished':
      node.installed = true
      return
    case 'etcd.stopped':
      node.lost = line
      node.etcd = 'stopped'
      node.stoppedByFault = event.by === 'fault'
      return
    case 'etcd.lagging':
      node.lost = line
      node.etcd = 'lagging'
      return
    case 'etcd.caught-up':
      if (node.etcd === 'lagging') node.etcd = 'voting'
      return
    case 'etcd.healthy':
      node.stoppedByFault = false
      if (node.etcd === 'stopped') node.etcd = 'voting'
      return
    default:
      return
  }
}
