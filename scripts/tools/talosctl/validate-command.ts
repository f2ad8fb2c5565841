import type { Command } from '../../run.ts'

/** Holds a machine configuration against Talos' own rules; reaches no node. Exits 1 and says why on standard error. */
export const validateCommand = (file: string, mode: 'metal' | 'cloud' | 'container'): Command => ({
  tool: 'talosctl',
  argv: ['validate', '--config', file, '--mode', mode, '--strict'],
  timeoutMs: 60_000,
  mutates: false,
})
