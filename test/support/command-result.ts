import type { CommandResult } from '../../scripts/run.ts'

/** What a test says of an answer: it ended well, with this code, or as `ended` says. */
export type Answered = { exitCode?: number } & Partial<CommandResult>

/** The answer of a tool that a test makes up. */
export const commandResult = ({ exitCode = 0, ...more }: Answered = {}): CommandResult => ({
  ...{ stdout: '', stderr: '', ended: { by: 'exit', code: exitCode } },
  ...more,
})
