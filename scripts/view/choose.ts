import type { OutputChoice } from '../cli/flags.ts'

export type ViewKind = 'listr' | 'plain' | 'json' | 'quiet'

/** Where a view would write to. */
export type ViewSurroundings = {
  output: OutputChoice
  stderrIsTty: boolean
  /** of stderr; a pty that was never sized says 0, and undefined is no terminal at all */
  columns: number | undefined
  /** the environment says that this is a CI job: its log is read later, and control codes only blur it */
  ci: boolean
}

/** Live rows only where they are legible: a terminal of 60 columns or more that a person watches. */
export function chooseView({ output, stderrIsTty, columns, ci }: ViewSurroundings): ViewKind {
  if (output !== 'auto') return output
  return stderrIsTty && !ci && (columns ?? 0) >= 60 ? 'listr' : 'plain'
}
