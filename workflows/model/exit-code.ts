/** How a command ends, after sysexits(3) where a code exists there. README repeats this table. */
export const EXIT_CODES = {
  /** done, or nothing to do */
  done: 0,
  /** failed; the verdicts say where each node stands */
  failed: 1,
  /** `--dry-run`: changes are pending */
  pending: 2,
  /** wrong usage */
  usage: 64,
  /** the declaration is wrong or there is none */
  declaration: 65,
  /** a tool or a node that is needed is missing or unreachable; nothing was changed */
  unavailable: 69,
  /** not now, try again: locked by another run, image not published yet */
  tryAgain: 75,
  /** a safety rule says no */
  refused: 77,
  /** stopped by SIGINT; the resume command was printed */
  interrupted: 130,
  /** stopped by SIGTERM; the resume command was printed */
  terminated: 143,
} as const

export type ExitName = keyof typeof EXIT_CODES
export type ExitCode = (typeof EXIT_CODES)[ExitName]
