/** age-keygen's command lines, as data. Identities go through pipes and never into argv; of its stderr nothing is shown. */
import type { Command } from '../run.ts'

const ageKeygen = (argv: string[], stdin?: string): Command => ({
  tool: 'age-keygen',
  argv,
  stdin,
  timeoutMs: 20_000,
  mutates: false,
})

/** Every call of age-keygen that the project makes. */
export const ageKeygenCommands = {
  /** A new identity on standard output: for a pipe and memory only. */
  generate: () => ageKeygen([]),
  /** The recipients of all identities in a file, one a line. Fails where one of them is a plugin's or an ssh key. */
  recipientsOfFile: (file: string) => ageKeygen(['-y', file]),
  /** The same of identities that are in memory. */
  recipientsOfText: (identities: string) => ageKeygen(['-y'], identities),
}

/** Recipients as `-y` prints them: `age1…`, and `age1pq1…` of the ones that withstand quantum computers. */
export const ageRecipients = (stdout: string): string[] => stdout.split('\n').filter((line) => /^age1\w+$/.test(line))
