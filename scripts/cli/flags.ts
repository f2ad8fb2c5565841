/** The command line: flags as data, every mistake at once, and a help page from the same data. */
import { parseArgs } from 'node:util'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { nearest } from '../../workflows/model/nearest.ts'
import { parseVersion } from '../../workflows/model/parse-version.ts'
import { type CommandLine, type CommonName, type FlagSpec, type FlagSpecs, placeholder } from './flag-spec.ts'
import { helpPage } from './help-page.ts'

export type OutputChoice = 'auto' | 'plain' | 'json' | 'quiet'

export type CommonFlags = {
  /** as it was given; empty for a command without this flag */
  cluster: string
  /** absent: this package's root */
  dir?: string
  /** host names or addresses, not yet checked against the declaration */
  nodes?: string[]
  dryRun: boolean
  yes: boolean
  /** closes what an earlier run did not finish, and does nothing else */
  abandon: boolean
  output: OutputChoice
  /** absent: the one of the cluster */
  talosconfig?: string
  /** absent: the one of the cluster, else one that talosctl makes */
  kubeconfig?: string
}

type ValueOf<Spec extends FlagSpec> = Spec extends { type: 'number' }
  ? number
  : Spec extends { choices: readonly (infer Choice)[] }
    ? Choice
    : string

/** By name as code says it: `--skip-drain` is `skipDrain`. A boolean is always there, anything else only where it was given. */
export type FlagValues<Specs extends FlagSpecs> = {
  [Name in keyof Specs as Specs[Name] extends { type: 'boolean' } ? CamelCase<Name> : never]: boolean
} & {
  [Name in keyof Specs as Specs[Name] extends { type: 'boolean' } ? never : CamelCase<Name>]?: ValueOf<Specs[Name]>
}

type CamelCase<Name> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name & string

export type ParsedFlags<Specs extends FlagSpecs> =
  | { kind: 'help'; text: string }
  | { kind: 'run'; common: CommonFlags; flags: FlagValues<Specs>; words: readonly string[] }
  | { kind: 'wrong'; failures: Failure[] }

const COMMON = {
  cluster: { type: 'string', value: 'id', help: 'cluster to work on: 101 and cluster-101 are the same' },
  dir: { type: 'string', value: 'path', help: 'folder that holds clusters/ (default: the root of this package)' },
  nodes: { type: 'string', value: 'a,b', help: 'only these nodes, by host name or address' },
  'dry-run': { type: 'boolean', help: 'print the plan and change nothing' },
  yes: { type: 'boolean', help: 'do not ask for approval' },
  abandon: { type: 'boolean', help: 'close what an earlier run left unfinished, as it stands, and do nothing else' },
  output: {
    type: 'choice',
    choices: ['auto', 'plain', 'json', 'quiet'],
    help: 'how progress is shown (default: auto)',
  },
  talosconfig: { type: 'string', value: 'path', help: "the talosconfig to use (default: the cluster's)" },
  kubeconfig: {
    type: 'string',
    value: 'path',
    help: "the kubeconfig to use (default: the cluster's, else one that talosctl makes)",
  },
  help: { type: 'boolean', help: 'print this page' },
} as const satisfies Record<CommonName, FlagSpec>

const camelCase = (name: string): string => name.replaceAll(/-(.)/g, (_, first: string) => first.toUpperCase())

const nodesIn = (value: string): string[] =>
  value
    .split(',')
    .map((node) => node.trim())
    .filter(Boolean)

/** `argv` without node and script. Fails with `usage`, once per mistake. */
export function parseFlags<const Specs extends FlagSpecs>(
  line: CommandLine<Specs>,
  argv: readonly string[],
): ParsedFlags<Specs> {
  const specs: FlagSpecs = { ...COMMON, ...line.flags }
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      { type: spec.type === 'boolean' ? ('boolean' as const) : ('string' as const), multiple: name === 'nodes' },
    ]),
  )
  const without: readonly CommonName[] = line.without ?? []
  // strict parseArgs stops at the first mistake; its tokens let us report all of them just as strictly
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })

  const mistakes: Failure[] = []
  const wrong = (detail: string, hint?: string | undefined) =>
    mistakes.push(failure('usage', { detail, ...(hint && { hint }) }))
  const seen = new Map<string, string>()
  const repeated = new Set<string>()
  const words: string[] = []
  let valueOfUnknown = -1

  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      if (token.index !== valueOfUnknown) words.push(token.value)
      continue
    }
    const { name, rawName, value } = token
    const spec = Object.hasOwn(specs, name) && rawName.startsWith('--') ? specs[name] : undefined
    if (spec === undefined) {
      const meant = nearest(name, Object.keys(specs))
      wrong(`${rawName} is not a flag of ${line.name}`, meant && `did you mean --${meant}?`)
      if (!token.inlineValue) valueOfUnknown = token.index + 1
      continue
    }
    if (spec.type === 'boolean') {
      if (value !== undefined) wrong(`--${name} takes no value`)
      seen.set(name, '')
      continue
    }
    const isEmpty = name === 'nodes' ? nodesIn(value ?? '').length === 0 : !value
    if (value === undefined || isEmpty || (!token.inlineValue && value.startsWith('-'))) {
      wrong(`--${name} needs a value`, `--${name} ${placeholder(spec)}`)
      continue
    }
    if (seen.has(name) && name !== 'nodes' && !repeated.has(name)) wrong(`--${name} is there more than once`)
    if (seen.has(name)) repeated.add(name)
    if (spec.type === 'choice' && !spec.choices.includes(value)) {
      const meant = nearest(value, spec.choices)
      wrong(`--${name} is one of ${spec.choices.join(', ')}, not ${value}`, meant && `did you mean ${meant}?`)
    }
    const version = spec.type === 'version' ? parseVersion(value) : value
    if (version === undefined) wrong(`--${name} takes a version such as v1.13.9, not ${value}`)
    if (spec.type === 'number' && !(Number(value) > 0)) wrong(`--${name} takes a number above 0, not "${value}"`)
    seen.set(name, name === 'nodes' && seen.has(name) ? `${seen.get(name)},${value}` : (version ?? value))
  }

  if (seen.has('help')) return { kind: 'help', text: helpPage(line, COMMON) }
  // what narrows a command can not be passed over like what means nothing to it
  if (seen.has('nodes') && without.includes('nodes'))
    wrong(`${line.name} is about the whole cluster, and can not be narrowed by --nodes`)
  if (seen.has('abandon') && without.includes('abandon'))
    wrong(`${line.name} leaves no run behind, so there is none for --abandon to close`)
  const [verb, ...more] = line.verbs ? words : []
  const known = verb === undefined ? undefined : line.verbs?.[verb]
  if (line.verbs && known === undefined) {
    const verbs = Object.keys(line.verbs)
    const meant = verb && nearest(verb, verbs)
    wrong(
      verb === undefined ? `say what: ${verbs.join('|')}` : `${verb} is none of ${verbs.join(', ')}`,
      meant && `did you mean ${meant}?`,
    )
  }
  const standsAlone = Object.entries(line.flags).some(([name, spec]) => 'alone' in spec && seen.has(name))
  const takesWord = known?.word !== undefined && !standsAlone
  for (const word of line.verbs ? more.slice(takesWord ? 1 : 0) : words)
    wrong(`${word} stands without a flag`, /^(cluster-)?\d+$/.test(word) ? `--cluster ${word}` : undefined)
  const cluster = seen.get('cluster')
  if (
    cluster === undefined &&
    !standsAlone &&
    !without.includes('cluster') &&
    !mistakes.some(({ detail, hint }) => /--cluster\b/.test(`${detail} ${hint}`))
  )
    wrong('--cluster is missing', `--cluster ${placeholder(COMMON.cluster)}`)
  if (mistakes.length > 0) return { kind: 'wrong', failures: mistakes }

  const { dir, talosconfig, kubeconfig } = Object.fromEntries(seen) as Record<string, string | undefined>
  const nodes = seen.get('nodes')
  const values = Object.entries(line.flags).flatMap(([name, { type }]) => {
    if (type !== 'boolean' && !seen.has(name)) return []
    const value = type === 'boolean' ? seen.has(name) : seen.get(name)
    return [[camelCase(name), type === 'number' ? Number(value) : value]]
  })
  return {
    kind: 'run',
    common: {
      cluster: cluster ?? '',
      ...(dir !== undefined && { dir }),
      ...(nodes !== undefined && { nodes: nodesIn(nodes) }),
      dryRun: seen.has('dry-run'),
      yes: seen.has('yes'),
      abandon: seen.has('abandon'),
      output: (seen.get('output') ?? 'auto') as OutputChoice,
      ...(talosconfig !== undefined && { talosconfig }),
      ...(kubeconfig !== undefined && { kubeconfig }),
    },
    flags: Object.fromEntries(values) as FlagValues<Specs>,
    words: line.verbs ? words : [],
  }
}
