import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NodeReport } from '../../lab/control.ts'
import type { FaultRequest } from '../../lab/fault-board.ts'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { startLab, type TestLab } from './lab.ts'
import { runUpgrade, type UpgradeRun } from './upgrade-run.ts'

/** The server generation that a cluster is upgraded from. */
export type Generation = '1.13' | '1.12'

const names = ['k8s-1', 'k8s-2', 'k8s-3'] as const
const target = 'v1.13.9'
const versions = { '1.13': 'v1.13.5', '1.12': 'v1.12.9' } as const satisfies Record<Generation, string>

/** What differs between the generations: with the old one nothing is installed before a node's own turn. */
type By<T> = T | Record<Generation, T>

/** How one run has to end. Verdicts stand in the order of the plan: the canary, the second node, the leader. */
type Expected = { code: number; verdicts: By<readonly Verdict[]>; reasons: By<readonly FailureReason[]> }

/** A fault that meets an upgrade; in a lab of its own unless it changes nothing. */
type Row = {
  title: string
  faults: readonly (Omit<FaultRequest, 'name'> & { name: FaultName })[]
  deadlines?: Readonly<Record<string, string>>
  flags?: readonly string[]
  first: Expected
}

type Disruption = Row & {
  /** the same command again while the fault lasts: it must not make anything worse */
  meanwhile?: Omit<Expected, 'verdicts'>
  /** the same command again after the cure, where it takes `--retry` to go on */
  refused?: boolean
  /** what the run after the cure makes of the nodes */
  second: By<readonly Verdict[]>
  /** installations that were finished, over all runs */
  installs?: By<readonly number[]>
  reboots?: By<readonly number[]>
}

/** The fault on every node: it strikes whoever is in its slot, and nobody else has to be known. */
const everywhere = (name: FaultName, more: Partial<FaultRequest> = {}) => names.map((node) => ({ ...more, name, node }))

const afterTheCanary = 'any ready'

const unchanged = ['unchanged', 'unchanged', 'unchanged'] as const
const refused = ['refused', 'refused', 'refused'] as const
const upgraded = ['upgraded', 'upgraded', 'upgraded'] as const
const restUpgraded = ['unchanged', 'upgraded', 'upgraded'] as const
const oneEach = [1, 1, 1] as const

/** Faults that are met before anything is changed. They share a lab, and each is cured before the next. */
const harmless: readonly Row[] = [
  {
    title: 'image-pull-fails: 75, and no node is touched though the others could pull',
    faults: [{ name: 'image-pull-fails', node: 'k8s-2' }],
    first: { code: 75, verdicts: unchanged, reasons: ['image-pull-failed'] },
  },
  {
    title: 'image-pull-hangs: 75 after the deadline',
    // the only one that has not pulled it in the row before
    faults: [{ name: 'image-pull-hangs', node: 'k8s-2' }],
    deadlines: { pull: '6s' },
    first: { code: 75, verdicts: unchanged, reasons: ['image-pull-timed-out'] },
  },
  {
    title: 'answers-garbage: 69',
    faults: [{ name: 'answers-garbage', node: 'k8s-2' }],
    first: { code: 69, verdicts: unchanged, reasons: ['garbage-answer'] },
  },
  {
    title: 'wrong-ca: 69',
    faults: [{ name: 'wrong-ca', node: 'k8s-1' }],
    first: { code: 69, verdicts: unchanged, reasons: ['wrong-ca'] },
  },
  {
    title: 'unreachable-for, from the start: 69',
    faults: [{ name: 'unreachable-for', node: 'k8s-3', seconds: 1_000_000 }],
    deadlines: { observe: '6s' },
    first: { code: 69, verdicts: unchanged, reasons: ['node-unreachable'] },
  },
  {
    title: 'etcd-alarm-nospace: refused',
    faults: [{ name: 'etcd-alarm-nospace', node: 'k8s-2' }],
    first: { code: 77, verdicts: refused, reasons: ['etcd-alarm'] },
  },
  {
    title: 'etcd-learner: refused',
    faults: [{ name: 'etcd-learner', node: 'k8s-1' }],
    first: { code: 77, verdicts: refused, reasons: ['etcd-learner'] },
  },
  {
    title: 'etcd-member-down on a control plane that is not to be changed: refused',
    faults: [{ name: 'etcd-member-down', node: 'k8s-2' }],
    flags: ['--nodes', 'k8s-1,k8s-3'],
    first: {
      code: 77,
      verdicts: ['refused', 'refused'],
      reasons: ['control-plane-not-ready', 'etcd-member-unhealthy', 'etcd-quorum'],
    },
  },
]

/** Faults that strike in the middle of an upgrade. */
const disruptions: readonly Disruption[] = [
  {
    title: 'install-fails on the canary',
    faults: everywhere('install-fails'),
    first: {
      code: 1,
      // below 1.13 the installer runs in the way down: the node reboots into what it had
      verdicts: { '1.13': unchanged, '1.12': ['rolled-back', 'unchanged', 'unchanged'] },
      reasons: { '1.13': ['install-failed'], '1.12': ['rolled-back'] },
    },
    second: upgraded,
    reboots: { '1.13': oneEach, '1.12': [2, 1, 1] },
  },
  {
    title: 'boots-back-to-old-version after the canary',
    faults: everywhere('boots-back-to-old-version', { when: afterTheCanary }),
    first: {
      code: 1,
      verdicts: {
        '1.13': ['upgraded', 'rolled-back', 'installed-not-rebooted'],
        '1.12': ['upgraded', 'rolled-back', 'unchanged'],
      },
      reasons: ['rolled-back'],
    },
    refused: true,
    second: restUpgraded,
    installs: [1, 2, 1],
    reboots: [1, 2, 1],
  },
  {
    title: 'never-returns on the canary',
    faults: everywhere('never-returns'),
    deadlines: { install: '10s', reboot: '10s', observe: '10s' },
    first: {
      code: 1,
      verdicts: ['unreachable', 'unchanged', 'unchanged'],
      reasons: ['never-returned'],
    },
    meanwhile: { code: 69, reasons: ['node-unreachable'] },
    second: restUpgraded,
  },
  {
    title: 'returns-not-ready on the canary',
    faults: everywhere('returns-not-ready'),
    deadlines: { ready: '8s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged', 'unchanged'], reasons: ['never-ready'] },
    meanwhile: { code: 77, reasons: ['control-plane-not-ready'] },
    second: restUpgraded,
  },
  {
    title: 'etcd-slow-to-catch-up for longer than the deadline, on the canary',
    faults: everywhere('etcd-slow-to-catch-up', { seconds: 1_000_000 }),
    deadlines: { etcd: '8s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged', 'unchanged'], reasons: ['etcd-not-caught-up'] },
    meanwhile: { code: 77, reasons: ['etcd-member-behind', 'etcd-quorum'] },
    second: restUpgraded,
  },
]

/** The suite of one generation: every fault of the catalogue against the upgrade, through the real talosctl. */
export function upgradeFaults(generation: Generation) {
  const test = suite(`Faults against the upgrade of ${generation}`)
  const of = <T>(value: By<T>): T =>
    typeof value === 'object' && value !== null && generation in value
      ? (value as Record<Generation, T>)[generation]
      : (value as T)

  const wanted = process.env.ROWS
  for (const row of disruptions) {
    if (wanted && !row.title.includes(wanted)) continue
    test(row.title, () =>
      withLab(generation, async (lab) => {
        for (const fault of row.faults) await lab.fault(fault)
        const first = await runUpgrade(lab, row)
        const order = orderOf(first)
        assertEnded(first, row.first.code, order, of(row.first.verdicts), of(row.first.reasons))
        assert.equal(lab.check(), [])

        if (row.meanwhile) {
          const before = changes(lab.log())
          const again = await runUpgrade(lab, row)
          assert.is(again.code, row.meanwhile.code, said(again))
          assert.equal(reasons(again), of(row.meanwhile.reasons), said(again))
          assert.equal(changes(lab.log()), before)
        }
        await lab.cure()
        await allReady(lab)
        if (row.refused || of(row.first.verdicts).includes('rolled-back')) {
          const before = changes(lab.log())
          const again = await runUpgrade(lab)
          assert.is(again.code, 77, said(again))
          assert.equal(reasons(again), ['rolled-back-before'])
          assert.equal(changes(lab.log()), before)
        }
        const flags = of(row.first.verdicts).includes('rolled-back') ? ['--retry'] : []
        const second = await runUpgrade(lab, { flags })
        assertEnded(second, 0, order, of(row.second), [])
        await assertUpgraded(lab)
        assert.equal(count(lab, order, 'install.finished'), of(row.installs ?? oneEach))
        assert.equal(count(lab, order, 'reboot.requested'), of(row.reboots ?? oneEach))
        assert.equal(lab.check(), [])
      }),
    )
  }
  if (!wanted || wanted === 'harmless')
    test('Faults that are met before anything changes', () =>
      withLab(generation, async (lab) => {
        for (const row of harmless) {
          for (const fault of row.faults) await lab.fault(fault)
          const run = await runUpgrade(lab, row)
          const targets = row.flags ? ['k8s-1', 'k8s-3'] : names
          assertEnded(run, row.first.code, targets, of(row.first.verdicts), of(row.first.reasons))
          assert.equal(changes(lab.log()), [], row.title)
          await lab.cure()
          await allReady(lab)
        }
        const last = await runUpgrade(lab)
        assertEnded(last, 0, names, upgraded, [])
        await assertUpgraded(lab)
        assert.equal(lab.check(), [])
      }))
  return test
}

async function withLab(generation: Generation, use: (lab: TestLab) => Promise<void>): Promise<void> {
  const lab = await startLab({ version: versions[generation], target, speed: 100 })
  try {
    await use(lab)
  } finally {
    await lab.down()
  }
}

const said = (run: UpgradeRun): string => `${JSON.stringify(run.finished, null, 2)}\n${run.stderr}`

const reasons = (run: UpgradeRun): FailureReason[] => [...new Set(run.finished.failures.map((f) => f.reason))]

/** Names in the order of the plan. */
function orderOf(run: UpgradeRun): string[] {
  const started = run.events.find((event) => event.type === 'run.started')
  if (!started) throw new Error(said(run))
  return started.plan.nodes.map(({ node }) => node)
}

function assertEnded(
  run: UpgradeRun,
  code: number,
  order: readonly string[],
  verdicts: readonly Verdict[],
  why: readonly FailureReason[],
): void {
  assert.equal(reasons(run), why, said(run))
  assert.is(run.code, code, said(run))
  assert.is(run.finished.exitCode, code)
  assert.equal(
    order.map((node) => run.verdicts[node]),
    verdicts,
    said(run),
  )
}

/** Everything that somebody did to a node. */
const changes = (log: readonly LoggedEvent[]): string[] =>
  log.flatMap((event) =>
    event.type === 'install.started' || event.type === 'reboot.requested' ? [`${event.type} ${event.node}`] : [],
  )

const count = (lab: TestLab, order: readonly string[], type: LoggedEvent['type']): number[] =>
  order.map((node) => lab.log().filter((event) => event.type === type && 'node' in event && event.node === node).length)

/** After a cure: the nodes and their members have to recover before a run can judge them. */
async function allReady(lab: TestLab): Promise<void> {
  for (const end = Date.now() + 30_000; ; ) {
    const { nodes = [] } = await lab.status()
    const isWell = ({ reachability, stage, ready, etcd }: NodeReport) =>
      reachability === 'answers' && stage === 'running' && ready && etcd?.healthy !== false
    if (nodes.every(isWell)) return
    if (Date.now() > end) throw new Error(JSON.stringify(nodes))
    await pause(50)
  }
}

async function assertUpgraded(lab: TestLab): Promise<void> {
  const { nodes = [] } = await lab.status()
  assert.equal(
    nodes.map((node) => [node.version, node.ready]),
    nodes.map(() => [target, true]),
  )
}
