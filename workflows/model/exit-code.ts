/** How a command ends, after sysexits(3) where a code exists there. `--help` and README show this table. */
export const EXITS = {
  done: { code: 0, means: 'done, or nothing to do' },
  failed: { code: 1, means: 'failed; the verdicts say where each node stands' },
  pending: { code: 2, means: '--dry-run: changes are pending' },
  usage: { code: 64, means: 'wrong usage' },
  declaration: { code: 65, means: 'the declaration is wrong or there is none' },
  unavailable: {
    code: 69,
    means: 'a tool, a node or a file that is needed is missing or can not be used; nothing was changed',
  },
  tryAgain: {
    code: 75,
    means:
      'not now, try again: locked by another run, image not published yet; no installation was begun, and no machine booted',
  },
  refused: { code: 77, means: 'refused: a safety rule says no' },
  interrupted: { code: 130, means: 'stopped by SIGINT; the command that resumes was printed' },
  terminated: { code: 143, means: 'stopped by SIGTERM; the command that resumes was printed' },
} as const satisfies Record<string, { code: number; means: string }>

export type ExitName = keyof typeof EXITS
export type ExitCode = (typeof EXITS)[ExitName]['code']

/** The codes alone, by name. */
export const EXIT_CODES = Object.fromEntries(Object.entries(EXITS).map(([name, { code }]) => [name, code])) as {
  [Name in ExitName]: (typeof EXITS)[Name]['code']
}
