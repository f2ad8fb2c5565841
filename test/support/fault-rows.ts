import * as assert from 'uvu/assert'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import type { TestLab } from './lab.ts'
import { assertUpgraded } from './lab-changes.ts'
import { type Fault, type FaultRow, meetFault } from './meet-fault.ts'
import { assertEnding, runUpgrade } from './upgrade-run.ts'
import { withLab } from './with-lab.ts'

/** The API that the nodes serve before they are upgraded. */
export type Generation = '1.13' | '1.12'

const names = ['k8s-1', 'k8s-2', 'k8s-3'] as const
const from = { '1.13': 'v1.13.5', '1.12': 'v1.12.9' } as const satisfies Record<Generation, string>
const target = 'v1.13.9'

/** What differs between the generations: below 1.13 nothing is installed before a node's own turn. */
type By<T> = T | Record<Generation, T>

/** The fault on every node: it strikes the one in its slot, and nobody has to know which that will be. */
const everywhere = (name: FaultName, more: Omit<Partial<Fault>, 'name' | 'node'> = {}): Fault[] =>
  names.map((node) => ({ ...more, name, node }))

/** One of each for the canary, the second node and the leader. */
type Each<T> = readonly [canary: T, second: T, leader: T]

const unchanged: Each<Verdict> = ['unchanged', 'unchanged', 'unchanged']
const refused: Each<Verdict> = ['refused', 'refused', 'refused']
const upgraded: Each<Verdict> = ['upgraded', 'upgraded', 'upgraded']
const restUpgraded: Each<Verdict> = ['unchanged', 'upgraded', 'upgraded']

/** A fault that is met before anything changes. */
type Harmless = {
  title: string
  fault: Fault
  deadlines?: Readonly<Record<string, string>>
  nodes?: readonly string[]
  code: number
  verdicts: readonly Verdict[]
  reasons: readonly FailureReason[]
}

const harmless: readonly Harmless[] = [
  {
    title: 'image-pull-fails on one node keeps all of them as they are, for another try',
    fault: { name: 'image-pull-fails', node: 'k8s-2' },
    code: 75,
    verdicts: unchanged,
    reasons: ['image-pull-failed'],
  },
  {
    title: 'image-pull-hangs ends at the deadline, for another try',
    // the only one that the row before did not let pull
    fault: { name: 'image-pull-hangs', node: 'k8s-2' },
    deadlines: { pull: '5s' },
    code: 75,
    verdicts: unchanged,
    reasons: ['image-pull-timed-out'],
  },
  {
    title: 'answers-garbage at the start changes nothing',
    fault: { name: 'answers-garbage', node: 'k8s-2' },
    code: 69,
    verdicts: unchanged,
    reasons: ['garbage-answer'],
  },
  {
    title: 'wrong-ca at the start changes nothing',
    fault: { name: 'wrong-ca', node: 'k8s-1' },
    code: 69,
    verdicts: unchanged,
    reasons: ['wrong-ca'],
  },
  {
    title: 'unreachable-for at the start changes nothing',
    fault: { name: 'unreachable-for', node: 'k8s-3', seconds: 1_000_000 },
    deadlines: { observe: '12s' },
    code: 69,
    verdicts: unchanged,
    reasons: ['node-unreachable'],
  },
  {
    title: 'etcd-alarm-nospace is refused',
    fault: { name: 'etcd-alarm-nospace', node: 'k8s-2' },
    code: 77,
    verdicts: refused,
    reasons: ['etcd-alarm'],
  },
  {
    title: 'etcd-alarms-unreadable is refused: an alarm that can not be read is not none',
    fault: { name: 'etcd-alarms-unreadable', node: 'k8s-2' },
    nodes: ['k8s-1', 'k8s-3'],
    code: 77,
    verdicts: ['refused', 'refused'],
    reasons: ['etcd-unreadable'],
  },
  {
    title: 'etcd-learner is refused',
    fault: { name: 'etcd-learner', node: 'k8s-1' },
    code: 77,
    verdicts: refused,
    reasons: ['etcd-learner'],
  },
  {
    title: 'etcd-member-down is refused when another control plane is to go down',
    fault: { name: 'etcd-member-down', node: 'k8s-2' },
    // where no etcd runs, each look costs the whole of it
    deadlines: { observe: '10s' },
    nodes: ['k8s-1', 'k8s-3'],
    code: 77,
    verdicts: ['refused', 'refused'],
    reasons: ['control-plane-not-ready', 'etcd-member-unhealthy', 'etcd-quorum'],
  },
]

/** A fault that strikes in the middle of an upgrade. */
type Disruption = {
  title: string
  faults: readonly Fault[]
  deadlines?: Readonly<Record<string, string>>
  first: { code: number; verdicts: By<Each<Verdict>>; reasons: By<readonly FailureReason[]> }
  /** the same command while the fault lasts, which must change nothing */
  meanwhile?: { code: number; reasons: readonly FailureReason[] }
  /** verdicts of the run after the cure */
  second: By<Each<Verdict>>
  /** installations and reboots of each node over all runs; one of each where it says nothing */
  times?: By<Each<readonly [installs: number, reboots: number]>>
}

const once = [1, 1] as const

const disruptions: readonly Disruption[] = [
  {
    title: 'install-fails leaves the canary as it was; below 1.13 it comes back as it was',
    faults: everywhere('install-fails'),
    first: {
      code: 1,
      // below 1.13 the installer runs on the way down, and whether it or the boot failed can not be seen afterwards
      verdicts: { '1.13': unchanged, '1.12': ['rolled-back', 'unchanged', 'unchanged'] },
      reasons: { '1.13': ['install-failed'], '1.12': ['rolled-back'] },
    },
    second: upgraded,
    times: { '1.13': [once, once, once], '1.12': [[1, 2], once, once] },
  },
  {
    title: 'boots-back-to-old-version after the canary stops the run, and takes --retry to be tried again',
    faults: everywhere('boots-back-to-old-version', { when: 'any ready' }),
    first: {
      code: 1,
      verdicts: {
        '1.13': ['upgraded', 'rolled-back', 'installed-not-rebooted'],
        '1.12': ['upgraded', 'rolled-back', 'unchanged'],
      },
      reasons: ['rolled-back'],
    },
    second: restUpgraded,
    times: [once, [2, 2], once],
  },
  {
    title: 'never-returns ends at the deadline with nobody else touched',
    faults: everywhere('never-returns'),
    deadlines: { install: '6s', reboot: '8s' },
    first: { code: 1, verdicts: ['unreachable', 'unchanged', 'unchanged'], reasons: ['never-returned'] },
    meanwhile: { code: 69, reasons: ['node-unreachable'] },
    second: restUpgraded,
  },
  {
    title: 'returns-not-ready ends at the deadline, and nobody else goes down while it lasts',
    faults: everywhere('returns-not-ready'),
    deadlines: { ready: '6s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged', 'unchanged'], reasons: ['never-ready'] },
    meanwhile: { code: 77, reasons: ['control-plane-not-ready'] },
    second: restUpgraded,
  },
  {
    title: 'etcd-slow-to-catch-up beyond the deadline: nobody else goes down while it lasts',
    faults: everywhere('etcd-slow-to-catch-up', { seconds: 1_000_000 }),
    deadlines: { etcd: '6s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged', 'unchanged'], reasons: ['etcd-not-caught-up'] },
    meanwhile: { code: 77, reasons: ['etcd-member-behind', 'etcd-quorum'] },
    second: restUpgraded,
  },
  {
    title: 'etcd-alarm-nospace in the middle: the gate lets nobody through any more',
    faults: [{ name: 'etcd-alarm-nospace', node: 'k8s-1', when: 'any ready' }],
    first: {
      code: 77,
      verdicts: {
        '1.13': ['upgraded', 'installed-not-rebooted', 'installed-not-rebooted'],
        '1.12': ['upgraded', 'refused', 'unchanged'],
      },
      reasons: ['etcd-alarm'],
    },
    meanwhile: { code: 77, reasons: ['etcd-alarm'] },
    second: restUpgraded,
  },
  {
    title:
      'slow-boot, connection-lost-during-reboot, reboot-request-lost, unreachable-for and etcd-slow-to-catch-up pass',
    faults: [
      { name: 'slow-boot', node: 'k8s-1', seconds: 100 },
      { name: 'connection-lost-during-reboot', node: 'k8s-2' },
      { name: 'reboot-request-lost', node: 'k8s-3' },
      { name: 'unreachable-for', node: 'k8s-3', seconds: 300, when: 'k8s-1 down' },
      ...everywhere('etcd-slow-to-catch-up', { seconds: 200 }),
    ],
    first: { code: 0, verdicts: upgraded, reasons: [] },
    second: unchanged,
  },
]

/** Every fault of the catalogue against the upgrade of three control planes, as tests that bring up their own labs. */
export function faultRows(generation: Generation): { title: string; run: () => Promise<void> }[] {
  const wishes = { version: from[generation], target, speed: 100 }
  return [
    { title: 'Faults that are met before anything changes', run: () => withLab(wishes, meetHarmless) },
    ...disruptions.map((row) => ({
      title: row.title,
      run: () => withLab(wishes, (lab) => meetDisruption(lab, generation, row)),
    })),
  ]
}

async function meetHarmless(lab: TestLab): Promise<void> {
  for (const { fault, code, verdicts, reasons, ...row } of harmless)
    await meetFault('upgrade', lab, { ...row, faults: [fault], first: { code, verdicts, reasons }, isHarmless: true })
  // where all are to be upgraded, the broken one goes first: that may be the cure, and here it is
  await lab.fault({ name: 'etcd-member-down', node: 'k8s-2' })
  const last = await runUpgrade(lab, { deadlines: { observe: '10s' } })
  assertEnding(last, names, { code: 0, verdicts: upgraded, reasons: [] })
  assert.is(last.order[0], 'k8s-2')
  await assertUpgraded(lab, target, { 'k8s-1': once, 'k8s-2': once, 'k8s-3': once })
}

async function meetDisruption(lab: TestLab, generation: Generation, row: Disruption): Promise<void> {
  const of = <T extends object>(value: By<T>): T =>
    generation in value ? (value as Record<Generation, T>)[generation] : (value as T)
  const { title, faults, deadlines, first, meanwhile, second } = row
  const verdicts = of(first.verdicts)
  const rolledBack = { reasons: ['rolled-back-before'], flag: '--retry' } as const
  const met: FaultRow = {
    ...{ title, faults, first: { code: first.code, verdicts, reasons: of(first.reasons) }, last: of(second) },
    ...(deadlines && { deadlines }),
    ...(meanwhile && { meanwhile }),
    ...(verdicts.includes('rolled-back') && { afterwards: rolledBack }),
  }
  const { order } = await meetFault('upgrade', lab, met)
  const times = of(row.times ?? [once, once, once])
  await assertUpgraded(lab, target, Object.fromEntries(order.map((node, index) => [node, times[index] ?? once])))
}
