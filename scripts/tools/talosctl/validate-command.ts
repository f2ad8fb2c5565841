import type { MachineMode } from '../../../workflows/plan/configuration.ts'
import type { Command } from '../../run.ts'

/**
 * Holds a machine configuration against Talos' own rules; reaches no node, and the text lies in no file. Exits 1 and says why
 * on standard error. `strict`: also what Talos only warns of.
 */
export const validateCommand = (text: string, mode: MachineMode, { strict }: { strict: boolean }): Command => ({
  tool: 'talosctl',
  argv: ['validate', '--mode', mode, ...(strict ? ['--strict'] : []), '--config'],
  stdin: text,
  stdinIsFile: true,
  timeoutMs: 60_000,
  mutates: false,
})
