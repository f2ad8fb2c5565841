import { EXIT_CODES } from '../../workflows/model/exit-code.ts'
import { type CommandLine, type FlagSpec, type FlagSpecs, placeholder } from './flag-spec.ts'

const EXIT_MEANINGS: Record<keyof typeof EXIT_CODES, string> = {
  done: 'done, or nothing to do',
  failed: 'failed; the verdicts say where each node stands',
  pending: '--dry-run: changes are pending',
  usage: 'wrong usage',
  declaration: 'the declaration is wrong or there is none',
  unavailable: 'a tool or a node that is needed is missing or unreachable; nothing was changed',
  tryAgain: 'not now, try again: locked by another run, image not published yet',
  refused: 'a safety rule says no',
  interrupted: 'stopped by SIGINT; the resume command was printed',
  terminated: 'stopped by SIGTERM; the resume command was printed',
}

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
  const exits = Object.entries(EXIT_CODES).map(([name, code]): [string, string] => [
    String(code),
    EXIT_MEANINGS[name as keyof typeof EXIT_CODES],
  ])
  const width = Math.max(...[...own, ...common].map(([left]) => left.length))
  const rows = (pairs: [string, string][], pad: number) =>
    pairs.map(([left, right]) => `  ${left.padEnd(pad)}  ${right}`)
  return [
    `${line.summary}.`,
    '',
    `Usage: npx tsx workflows/${line.name}.ts ${!without.includes('cluster') ? '--cluster <id> ' : ''}[flags]`,
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
