/** What a machine hears at the end of a step: the events carry it, and the machine's own types do not know that. */
import { type Failure, failure } from '../model/failure.ts'
import type { StepName } from '../model/step-name.ts'
import type { StepTypes } from './step-types.ts'

type Heard = { type: string; output?: unknown; error?: unknown }

/** What the step answered; the names are those of all steps whose end it may be. */
export function outputOf<Name extends StepName>(event: Heard, ...names: Name[]): StepTypes[Name]['output'] {
  if (!names.some((name) => event.type === `xstate.done.actor.${name}`))
    throw new Error(`${event.type} is not the good end of ${names.join(' or ')}`)
  return event.output as StepTypes[Name]['output']
}

/** Why it failed. Failures arrive as plain data; anything else is a bug and said to be one. */
export function failureOf({ error }: Heard): Failure {
  const isFailure = typeof (error as Partial<Failure> | undefined)?.reason === 'string'
  return isFailure ? (error as Failure) : failure('bug', { detail: String(error) })
}
