/** A phase as one list that reads from top to bottom: the machine's states and the plan's text are both made of it. */
import { and } from 'xstate'
import { STEPS } from '../model/step-facts.ts'
import type { StepName } from '../model/step-name.ts'
import type { When } from './phases/when.ts'
import { RESUMED, step } from './step.ts'

/** One step of a phase, which is passed over where `when` does not hold. */
export type Row = {
  step: StepName
  when?: When
  /** where a failure goes */
  else: keyof typeof ELSE
  /** what is noted as it begins, and as it ends well */
  begins?: 'noteInstalling' | 'noteCordon' | 'noteGoingDown'
  ends?: 'noteInstalled' | 'noteGate' | 'noteFlip' | 'noteDiagnosis' | 'noteSettled' | 'noteUncordoned'
}

type Guard = When | 'stoppedAtGate'

/** A way out of a phase; that the machine has all that is named here is what the walk shows. */
type Exit = {
  guard?: Guard | ReturnType<typeof and<never, never, Guard[]>>
  target: `#node.${'upgrading.restoring' | 'upgrading.diagnosing' | 'missed'}`
  actions: readonly (
    | 'noteFailure'
    | 'noteRefused'
    | 'noteStillRunning'
    | 'noteStillUp'
    | 'noteUnasked'
    | 'noteUnsettled'
  )[]
}

/** A node that may carry our cordon is restored first. */
const leaves = (...actions: Exit['actions']): Exit[] => [
  { guard: 'isCordoned', target: '#node.upgrading.restoring', actions },
  { target: '#node.missed', actions },
]

const ELSE = {
  /** a safety rule says no: it was asked nothing */
  refused: leaves('noteFailure', 'noteRefused'),
  /** it runs on as it did */
  asItWas: leaves('noteFailure', 'noteStillRunning'),
  /** how it stands has to be read */
  diagnosed: [{ target: '#node.upgrading.diagnosing', actions: ['noteFailure', 'noteUnasked'] }],
  /** it came back, and is not to be counted on */
  stuck: leaves('noteUnsettled'),
  leftCordoned: [{ target: '#node.missed', actions: ['noteUnsettled'] }],
  /** it was to go down: where the last look objected it was asked nothing */
  diagnosedUnlessRefused: [
    {
      guard: and(['stoppedAtGate', 'isCordoned'] satisfies Guard[]),
      target: '#node.upgrading.restoring',
      actions: ['noteFailure', 'noteStillUp', 'noteRefused'],
    },
    { guard: 'stoppedAtGate', target: '#node.missed', actions: ['noteFailure', 'noteStillUp', 'noteRefused'] },
    { target: '#node.upgrading.diagnosing', actions: ['noteFailure', 'noteUnasked'] },
  ],
} as const satisfies Record<string, readonly Exit[]>

/** The name of the state of a row: that of its step, numbered where the step comes again. */
const stateOf = (rows: readonly Row[], index: number): string => {
  const name = rows[index]?.step ?? ''
  const times = rows.slice(0, index + 1).filter((row) => row.step === name).length
  return times > 1 ? `${name} ${times}` : name
}

/**
 * The states of a phase: before each row one that asks whether it is its turn, and after the last one `reached`. What expires
 * goes back to the beginning, which does nothing that is still true.
 */
export function sequence<Input>(rows: readonly Row[], input: Input) {
  const names = rows.map((_, at) => stateOf(rows, at))
  const asks = (at: number): string => (at < rows.length ? `${names[at]}?` : '#node.reached')
  const states = rows.flatMap((row, at) => {
    const name = names[at] ?? ''
    const onwards = { target: asks(at + 1), actions: row.ends ? [row.ends] : [] }
    const isStillUp = { guard: 'isStillUp', target: asks(0), actions: ['noteStillUp', 'noteAskedBefore'] }
    return [
      [asks(at), { always: [{ ...(row.when && { guard: row.when }), target: name }, { target: asks(at + 1) }] }],
      [
        name,
        {
          ...(row.begins && { entry: row.begins }),
          ...step(row.step, {
            input,
            onDone: row.begins === 'noteGoingDown' ? [isStillUp, onwards] : [onwards],
            onError: ELSE[row.else],
          }),
          ...(STEPS[row.step].expires && { on: { [RESUMED]: asks(0) } }),
        },
      ],
    ] as [string, object][]
  })
  // the machine's types know none of these names: that they lead somewhere is what the walk shows
  return { initial: asks(0), states: Object.fromEntries(states) as Record<never, never> }
}
