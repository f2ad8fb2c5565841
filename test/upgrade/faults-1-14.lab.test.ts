// limit: 1200 s
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { FaultRequest } from '../../lab/fault-board.ts'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { assertTypable } from '../support/assert-typable.ts'
import { dieWhenLogged } from '../support/crash.ts'
import { inFull } from '../support/in-full.ts'
import { labImage, startLab, type TestLab } from '../support/lab.ts'
import { changesOf, untilWell } from '../support/lab-changes.ts'
import { startEntry } from '../support/run-entry.ts'
import { typeHint } from '../support/type-hint.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'

// One lab for all rows: each is on its way to another patch release. What is begun on a worker, and how its log tells of
// it, is the same on a control plane; those have their tables for 1.12 and 1.13.
const test = suite<{ lab: TestLab }>('faults on Talos 1.14')
const [canary, other] = ['worker-1', 'worker-2'] as const
const nodes = [canary, other]
let lab: TestLab
let patch = 0
/** what both workers run */
let runs = 'v1.14.0'

test.before(async () => {
  // who answers is ready: how far a machine has come when it is looked at is not what the rows are about
  const timings = { readySeconds: 0 }
  lab = await startLab({ version: runs, target: 'v1.14.1', controlPlanes: 1, workers: 2, speed: 100, timings })
})
test.after(() => lab.down())

type Both<T> = readonly [canary: T, other: T]

type Row = {
  title: string
  /** one for each kind of fault; the others are run by the full tier */
  quick?: true
  faults: readonly (Omit<FaultRequest, 'name'> & { name: FaultName })[]
  /** what somebody does when the canary has been installed, and before the run has written that down */
  meddle?: () => void
  deadlines?: Readonly<Record<string, string>>
  first: { code: number; verdicts: Both<Verdict>; reasons: readonly FailureReason[] }
  /** what the first hint shows when it is typed */
  shown?: string
  /** the same command while the fault lasts: refused, and nothing is changed */
  meanwhile?: readonly FailureReason[]
  /** the same command when the fault is over */
  afterwards?: readonly FailureReason[]
  /** verdicts of the run that finishes it, with `--retry` where the one before was refused; absent where nothing was begun */
  last?: Both<Verdict>
  /** installations and reboots of the canary over all runs */
  times?: readonly [installs: number, reboots: number]
}

const upgraded: Both<Verdict> = ['upgraded', 'upgraded']
const onlyOther: Both<Verdict> = ['unchanged', 'upgraded']
const waits: Both<Verdict> = ['installed-not-rebooted', 'unchanged']
const installed = `${canary} install-finished`

const rows: readonly Row[] = [
  {
    title: 'image-pull-fails keeps both as they are, for another try',
    faults: [{ name: 'image-pull-fails', node: other }],
    first: { code: 75, verdicts: ['unchanged', 'unchanged'], reasons: ['image-pull-failed'] },
  },
  {
    title: 'image-refused: the rule that denies the image is named, and shown by the hint',
    quick: true,
    faults: [{ name: 'image-refused', node: other }],
    first: { code: 77, verdicts: ['unchanged', 'refused'], reasons: ['image-refused'] },
    shown: 'deny: true',
  },
  {
    title: 'install-fails with code 2 is for good: not tried again without --retry',
    quick: true,
    faults: [{ name: 'install-fails', node: canary, exitCode: 2 }],
    first: { code: 1, verdicts: ['unchanged', 'unchanged'], reasons: ['installer-refused'] },
    afterwards: ['installer-refused-before'],
    last: upgraded,
  },
  {
    title: 'boots-back-to-old-version stops the run, and takes --retry to be tried again',
    quick: true,
    faults: [{ name: 'boots-back-to-old-version', node: canary }],
    first: { code: 1, verdicts: ['rolled-back', 'unchanged'], reasons: ['rolled-back'] },
    afterwards: ['rolled-back-before'],
    last: upgraded,
    times: [2, 2],
  },
  {
    title:
      'log-unreadable after an installation: it may wait, which is not "unchanged", and nothing is installed over it',
    faults: [{ name: 'log-unreadable', node: canary, when: installed }],
    deadlines: { observe: '8s' },
    first: { code: 1, verdicts: waits, reasons: ['install-unseen'] },
    meanwhile: ['install-unknown'],
    last: upgraded,
  },
  {
    // nobody waits for a machine on which nothing was begun
    title: 'power-cut in the middle of a pull, for good: the machine is away, which is not "nothing was changed"',
    faults: [{ name: 'power-cut', node: other, seconds: 1_000_000, when: `${other} pull-started` }],
    deadlines: { observe: '8s' },
    first: { code: 1, verdicts: ['unchanged', 'unreachable'], reasons: ['image-pull-failed'] },
    last: upgraded,
  },
  {
    title:
      'power-cut in the middle of an installation: it is waited for, back as it was, and installed to in its new boot',
    quick: true,
    faults: [{ name: 'power-cut', node: canary, seconds: 30, when: `${canary} install-started` }],
    first: { code: 1, verdicts: ['rebooted', 'unchanged'], reasons: ['install-failed'] },
    last: upgraded,
  },
  {
    title: 'config-staged between installation and reboot: the node is not taken down',
    faults: [{ name: 'config-staged', node: canary, when: installed }],
    first: { code: 77, verdicts: waits, reasons: ['configuration-pending'] },
    meanwhile: ['configuration-pending'],
    last: upgraded,
  },
  {
    title: 'config-changed between installation and reboot: the installer judged another one',
    quick: true,
    faults: [{ name: 'config-changed', node: canary, when: installed }],
    first: { code: 77, verdicts: waits, reasons: ['configuration-changed'] },
    meanwhile: ['configuration-changed'],
    last: upgraded,
  },
  {
    title: 'the lock file is lost after an installation: begun, so this is no "try again"',
    faults: [],
    meddle: () => {
      const folder = join(lab.clusterDir, '.run')
      for (const name of readdirSync(folder)) if (name.startsWith('lock.')) rmSync(join(folder, name))
    },
    first: { code: 1, verdicts: waits, reasons: ['lock-lost'] },
    last: upgraded,
  },
  {
    title: 'config-unreadable in the other slot: it never listens, and goes on when somebody mends it',
    faults: [{ name: 'config-unreadable', node: canary, when: `${canary} reboot-requested` }],
    deadlines: { reboot: '8s' },
    first: { code: 1, verdicts: ['unreachable', 'unchanged'], reasons: ['never-returned'] },
    last: onlyOther,
  },
]

for (const row of rows) if (inFull || row.quick) test(row.title, () => meet(row))

test('killed right after an installation: taken up again it is told of it by the log, and does not repeat it', async () => {
  const { wish, changes } = begin()
  await dieWhenLogged(lab, { step: 'install', fits: ({ type }) => type === 'install.finished', wish })
  const next = startEntry(lab, { flags: ['--output', 'json', ...wish] })
  const { code, stderr } = await next.closed
  assert.is(code, 0, stderr)
  assert.ok(next.events().some((event) => event.type === 'run.started' && event.resumed))
  assert.equal(
    changes(),
    nodes.flatMap((node) => [`install ${node}`, `reboot ${node}`]),
  )
  assert.equal(lab.check(), [])
})

/** The way to the next patch release. */
function begin(deadlines: Readonly<Record<string, string>> = {}) {
  patch += 1
  const to = `v1.14.${patch}`
  const wish = ['--nodes', nodes.join(','), '--to', to]
  const from = lab.log().length
  const upgrade = (...flags: string[]) => runUpgrade(lab, { deadlines, flags: [...wish, ...flags] })
  const goOn = join(lab.clusterDir, 'go-on')
  const preload = join(import.meta.dirname, '../support/hold-outcome.ts')
  const env = { HOLD_OUTCOME_OF: 'install', GO_ON: goOn }
  /** the same, held until `goOn` is there */
  const upgradeHeld = () => runUpgrade(lab, { deadlines, flags: wish, preload, env })
  return { to, wish, from, upgrade, upgradeHeld, goOn, changes: () => changesOf(lab.log().slice(from)) }
}

async function meet({ faults, meddle, deadlines = {}, first, ...row }: Row): Promise<void> {
  const { to, from, upgrade, upgradeHeld, goOn, changes } = begin(deadlines)
  const expectRefusal = async (reasons: readonly FailureReason[]) => {
    const before = changes()
    const run = await upgrade()
    assertEnding(run, nodes, { code: 77, verdicts: ['refused', 'refused'], reasons })
    assert.equal(changes(), before)
    await assertTypable(lab, run)
  }
  for (const fault of faults) await lab.fault(fault)
  const running = meddle ? upgradeHeld() : upgrade()
  if (meddle) {
    await lab.logged(({ type }) => type === 'install.finished', { from })
    meddle()
    writeFileSync(goOn, '')
  }
  const run = await running
  assertEnding(run, nodes, first)
  const waiting = run.events.flatMap((event) =>
    event.type === 'verdict' && event.evidence.waiting ? [`${event.node}: ${event.evidence.waiting.image}`] : [],
  )
  const begun = ['installed-not-rebooted', 'unreachable'].includes(first.verdicts[0])
  assert.equal(waiting, begun ? [`${canary}: ${labImage(to)}`] : [], 'what waits, or may, is told')
  for (const { name } of faults) {
    const inForce = lab
      .log()
      .slice(from)
      .some((event) => event.type === 'fault.injected' && event.fault === name)
    assert.ok(inForce, `${name} never came into force`)
  }
  await assertTypable(lab, run)
  if (row.shown) assert.match(await typeHint(lab, run.finished.failures[0]?.hint ?? ''), row.shown)
  if (row.meanwhile) await expectRefusal(row.meanwhile)
  await lab.cure()
  await untilWell(lab)
  if (row.afterwards) await expectRefusal(row.afterwards)
  if (row.last) {
    const last = await upgrade(...(row.afterwards ? ['--retry'] : []))
    assertEnding(last, nodes, { code: 0, verdicts: row.last, reasons: [] })
    runs = to
  }
  const { nodes: now = [] } = await lab.status()
  assert.equal(
    nodes.map((node) => now.find(({ name }) => name === node)?.version),
    nodes.map(() => runs),
  )
  const count = (change: string) => changes().filter((made) => made === change).length
  const times = row.last === undefined ? [0, 0] : (row.times ?? [1, 1])
  assert.equal([count(`install ${canary}`), count(`reboot ${canary}`)], times)
  assert.equal(lab.check(), [])
}

test.run()
