import { type Failure, failure } from '../../workflows/model/failure.ts'

/** How a tool ended, and what that alone tells. */
export type Ended =
  /** 127 is the shell's "no such program" */
  | { by: 'exit'; code: number }
  /** not even the shell could be started, for want of files or processes */
  | { by: 'nothing'; why: Failure }
  | { by: 'signal'; signal: NodeJS.Signals }
  /** it passed; an uninterruptible command still runs then */
  | { by: 'deadline' }
  /** ours ended it or kept it from starting: what it exits with means nothing (talosctl exits 0 when cancelled) */
  | { by: 'abort' }

type Result = { ended: Ended }

/** Whether it ended by itself, and well: only then is what it printed its whole answer. */
export const isDone = ({ ended }: Result): boolean => ended.by === 'exit' && ended.code === 0

/** Whether the program was not started. */
export const isMissing = ({ ended }: Result): boolean =>
  ended.by === 'nothing' || (ended.by === 'exit' && (ended.code === 126 || ended.code === 127))

/** The same as a failure. */
export function notStarted(tool: string, { ended }: Result): Failure {
  const detail = `${tool} can not be started`
  if (ended.by !== 'nothing') return failure('tool-missing', { detail, hint: 'npm run tools' })
  return { ...ended.why, reason: 'tool-missing', detail: `${detail}: ${ended.why.detail ?? ended.why.reason}` }
}

/** As a sentence goes on after the tool's name. */
export function howEnded({ ended }: Result): string {
  switch (ended.by) {
    case 'exit':
      return `ended with ${ended.code}`
    case 'nothing':
      return 'was not started'
    case 'signal':
      return `was ended by ${ended.signal}`
    case 'deadline':
      return 'did not end in time'
    case 'abort':
      return 'was interrupted'
  }
}
