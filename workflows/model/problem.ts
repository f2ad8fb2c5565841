import { printable } from './printable.ts'

/** One mistake in a file that a person wrote, at the place where an editor should jump to. Lines and columns from 1. */
export type Problem = {
  file: string
  line: number
  col: number
  message: string
  hint?: string
  /** worth saying, and no reason to stop */
  warning?: true
}

/** Those of `more` whose place nothing in `said` tells of: one slip is said once. */
export const unlessSaid = (more: readonly Problem[], said: readonly Problem[]): Problem[] =>
  more.filter((one) => !said.some(({ line, col }) => line === one.line && col === one.col))

/** `file:line:col: message (hint)`, the form that terminals and editors turn into a link. */
export const problemText = (problem: Problem): string =>
  printable(
    `${problem.file}:${problem.line}:${problem.col}: ${problem.warning ? 'warning: ' : ''}${problem.message}${problem.hint ? ` (${problem.hint})` : ''}`,
  )

/** The same, as something worth saying. */
export const warning = (problem: Problem): Problem => ({ ...problem, warning: true })
