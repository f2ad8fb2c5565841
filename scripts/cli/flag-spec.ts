/** Flags as data: what parses them and what explains them read the same table. */

/**
 * One flag. `version` takes v1.13.9 and 1.13.9 and yields the former, `number` what is above 0; `value` names what a string
 * flag takes, for help; beside one that is `alone` nothing has to be named, and no word is taken.
 */
export type FlagSpec = { help: string } & (
  | { type: 'boolean'; alone?: true }
  | { type: 'string'; value?: string }
  | { type: 'number' }
  | { type: 'version' }
  | { type: 'choice'; choices: readonly string[] }
)

export type FlagSpecs = Readonly<Record<string, FlagSpec>>

/** Flags of every command. */
export type CommonName =
  | 'cluster'
  | 'dir'
  | 'nodes'
  | 'dry-run'
  | 'yes'
  | 'abandon'
  | 'output'
  | 'talosconfig'
  | 'kubeconfig'
  | 'help'

/** What a command says about its command line. */
export type CommandLine<Specs extends FlagSpecs> = {
  /** as in workflows/<name>.ts */
  name: string
  summary: string
  flags: Specs
  /** what it can be asked to do, where that is more than one thing: it stands before the flags, and some take one more word */
  verbs?: Readonly<Record<string, { help: string; word?: string }>>
  /** flags of every command that mean nothing to this one: taken, since a script passes the same ones to all, and not explained */
  without?: readonly CommonName[]
}

/** What stands for the value of a flag in help and hints: `<id>`, `auto|plain`. */
export const placeholder = (spec: FlagSpec): string => {
  if (spec.type === 'choice') return spec.choices.join('|')
  if (spec.type === 'string') return `<${spec.value ?? 'text'}>`
  return spec.type === 'version' ? '<version>' : spec.type === 'number' ? '<n>' : ''
}
