import { EXITS } from '../../workflows/model/exit-code.ts'
import { type CommandLine, type FlagSpec, type FlagSpecs, placeholder } from './flag-spec.ts'

/** The page that `--help` prints: usage, the command's own flags, everyone's flags (`shared`), exit codes. */
export function helpPage(line: CommandLine<FlagSpecs>, shared: FlagSpecs): string {
  const row = (name: string, spec: FlagSpec): [string, string] => [
    spec.type === 'boolean' ? `--${name}` : `--${name} ${placeholder(spec)}`,
    spec.help,
  ]
  const own = Object.entries(line.flags).map(([name, spec]) => row(name, spec))
  const without: readonly string[] = line.without ?? []
  const common = Object.entries(shared)
    .filter(([name]) => !without.includes(name))
    .map(([name, spec]) => row(name, spec))
  const verbs = Object.entries(line.verbs ?? {})
  const exits = Object.values(EXITS).map(({ code, means }): [string, string] => [String(code), means])
  const width = Math.max(...[...own, ...common].map(([left]) => left.length))
  const rows = (pairs: [string, string][], pad: number) =>
    pairs.map(([left, right]) => `  ${left.padEnd(pad)}  ${right}`)
  return [
    `${line.summary}.`,
    '',
    `Usage: npx tsx workflows/${line.name}.ts ${verbs.length > 0 ? `${verbs.map(([verb]) => verb).join('|')} ` : ''}${!without.includes('cluster') ? '--cluster <id> ' : ''}[flags]`,
    ...(verbs.length > 0
      ? [
          '',
          ...rows(
            verbs.map(([verb, { help, word }]) => [word ? `${verb} <${word}>` : verb, help]),
            width,
          ),
        ]
      : []),
    ...(own.length > 0 ? ['', `Flags of ${line.name}`, ...rows(own, width)] : []),
    '',
    'Flags of every command',
    ...rows(common, width),
    '',
    'Exit codes',
    ...rows(exits, 3),
    '',
  ].join('\n')
}
