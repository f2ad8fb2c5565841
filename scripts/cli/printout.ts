import type { ExitCode } from '../../workflows/model/exit-code.ts'

/** What a command ends with that only prints: its result for stdout, and its exit code. */
export type Printout = { exitCode: ExitCode; text: string }
