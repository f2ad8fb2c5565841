/** How a tool ended, and what that alone tells. */
export type Ended =
  /** 127 is the shell's "no such program" */
  | { by: 'exit'; code: number }
  | { by: 'signal'; signal: NodeJS.Signals }
  /** it passed; an uninterruptible command still runs then */
  | { by: 'deadline' }
  /** ours ended it or kept it from starting: what it exits with means nothing (talosctl exits 0 when cancelled) */
  | { by: 'abort' }

type Result = { ended: Ended }

/** Whether it ended by itself, and well: only then is what it printed its whole answer. */
export const isDone = ({ ended }: Result): boolean => ended.by === 'exit' && ended.code === 0

/** Whether the shell could not start the program. */
export const isMissing = ({ ended }: Result): boolean =>
  ended.by === 'exit' && (ended.code === 126 || ended.code === 127)

/** As a sentence goes on after the tool's name. */
export function howEnded({ ended }: Result): string {
  switch (ended.by) {
    case 'exit':
      return `ended with ${ended.code}`
    case 'signal':
      return `was ended by ${ended.signal}`
    case 'deadline':
      return 'did not end in time'
    case 'abort':
      return 'was interrupted'
  }
}
