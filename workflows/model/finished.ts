import type { RunEvent } from './event.ts'

export type Finished = Extract<RunEvent, { type: 'run.finished' }>

/** The last word of every command. One that is no run, or never became one, has no name and no verdicts. */
export const finished = (end: Pick<Finished, 'exitCode'> & Partial<Omit<Finished, 'type'>>): Finished => ({
  type: 'run.finished',
  run: '',
  verdicts: {},
  failures: [],
  tookMs: 0,
  ...end,
})
