/** Faults against a verb in a lab: how it ends, what is done meanwhile, and how it goes on when they are over. */
import * as assert from 'uvu/assert'
import type { FaultRequest } from '../../lab/fault-board.ts'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { assertTypable } from './assert-typable.ts'
import type { TestLab } from './lab.ts'
import { changesOf, untilWell } from './lab-changes.ts'
import { assertEnding, type Ending, runVerb, type UpgradeRun } from './upgrade-run.ts'

export type Fault = Omit<FaultRequest, 'name'> & { name: FaultName }

export type FaultRow = {
  title: string
  faults: readonly Fault[]
  deadlines?: Readonly<Record<string, string>>
  /** other parts of operations.yaml while the fault lasts */
  operations?: Readonly<Record<string, unknown>>
  /** what may be changed; all nodes when absent */
  nodes?: readonly string[]
  /** verdicts in the order of the plan, or of the names where there is none */
  first: Ending
  /** what the first failure says */
  says?: RegExp
  /** nothing is done to any node while the fault lasts */
  isHarmless?: true
  /** the same command while the fault lasts, which changes nothing */
  meanwhile?: Pick<Ending, 'code' | 'reasons'>
  /** the same command when the fault is over: refused, until a flag allows it */
  afterwards?: { reasons: readonly FailureReason[]; flag: string }
  /** verdicts of the run after the cure; absent where nothing is left to do */
  last?: readonly Verdict[]
}

/** Resolves to the run that met the faults, when all that the row says is seen and every node is well. */
export async function meetFault(verb: VerbName, lab: TestLab, row: FaultRow): Promise<UpgradeRun> {
  const { title, faults, deadlines = {}, operations = {}, nodes, first } = row
  const from = lab.log().length
  const flags = nodes ? ['--nodes', nodes.join(',')] : []
  const changes = () => changesOf(lab.log().slice(from))
  for (const fault of faults) await lab.fault(fault)
  const run = await runVerb(verb, lab, { flags, deadlines, operations })
  const order = run.order.length > 0 ? run.order : (nodes ?? Object.keys(lab.addresses))
  assertEnding(run, order, first)
  if (row.says) assert.match(run.finished.failures[0]?.detail ?? '', row.says)
  for (const { name } of faults) assertStruck(lab.log().slice(from), name, title)
  if (first.code !== 0) await assertTypable(lab, run)
  if (row.isHarmless) assert.equal(changes(), [], title)
  const expectRefusal = async ({ code, reasons }: Pick<Ending, 'code' | 'reasons'>) => {
    const before = changes()
    const again = await runVerb(verb, lab, { flags, deadlines, operations })
    const verdict = code === 77 ? ('refused' as const) : ('unchanged' as const)
    assertEnding(again, order, { code, reasons, verdicts: order.map(() => verdict) })
    assert.equal(changes(), before)
    await assertTypable(lab, again)
  }
  if (row.meanwhile) await expectRefusal(row.meanwhile)
  await lab.cure()
  await untilWell(lab)
  const { afterwards, last } = row
  if (afterwards) await expectRefusal({ code: 77, reasons: afterwards.reasons })
  if (last) {
    const cured = await runVerb(verb, lab, { flags: [...flags, ...(afterwards ? [afterwards.flag] : [])] })
    assertEnding(cured, order, { code: 0, verdicts: last, reasons: [] })
  }
  assert.equal(lab.check(), [], title)
  return run
}

/** Faults that wait for a moment in which they are met; the others are in force from the start. */
const MET_LATER: ReadonlySet<FaultName> = new Set([
  ...(['image-pull-fails', 'image-pull-hangs', 'image-refused', 'install-fails', 'installer-dies'] as const),
  ...(['boots-back-to-old-version', 'never-returns', 'config-unreadable', 'renamed-at-boot'] as const),
  ...(['returns-not-ready', 'slow-boot', 'connection-lost-during-reboot', 'reboot-request-lost'] as const),
  ...(['etcd-slow-to-catch-up', 'kubelet-slow-ready', 'pod-never-terminates', 'volume-never-detaches'] as const),
  'evictions-refused',
])

/** The fault came into force and was met, or the row proves nothing. */
function assertStruck(log: readonly LoggedEvent[], name: FaultName, title: string): void {
  const type = MET_LATER.has(name) ? 'fault.fired' : 'fault.injected'
  assert.ok(
    log.some((event) => event.type === type && event.fault === name),
    `${title}: ${name} never struck`,
  )
}
