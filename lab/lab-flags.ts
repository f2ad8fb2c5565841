import { parseArgs } from 'node:util'

/** How `workflows/lab.ts` is called. */
export const labUsage = `lab.ts up|down|status|log|check --cluster <id> [--dir <path>] [--speed <n>] [--die-with <pid>]
lab.ts fault <name> --node <node> [--seconds <n>] [--times <n>] [--exit-code <n>] [--when '<node|any> <event>']
lab.ts fault --cure <name> [--node <node>] | --cure-all | --list

  --dir       folder that holds clusters/ (default: the root of this package)
  --speed     machine seconds that pass in a second (default: speed of lab.yaml)
  --die-with  the lab ends when this process is gone
  --seconds   length of the fault in machine seconds
  --times     how often it happens before it is over
  --exit-code what the installer of install-fails ends with (2 to 7: only one of Talos 1.14 or newer)
  --when      the fault starts at the next such event: ready, booting, running, down, reboot-requested,
              pull-started, pull-finished, install-started, install-finished, or a type of the log`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const options = {
  ...{
    cluster: text,
    dir: text,
    speed: text,
    'die-with': text,
    'exit-code': text,
    node: text,
    seconds: text,
    times: text,
    when: text,
  },
  // nothing here asks, and a script passes --yes to all
  ...{ cure: flag, 'cure-all': flag, list: flag, help: flag, yes: flag },
}

/** Finds the word among them that was meant. */
type Nearest = (word: string, among: readonly string[]) => string | undefined

/** Reads the command line of `workflows/lab.ts`; fails with an Error that says what is wrong, all flags at once. */
export function readLabFlags(argv: string[], nearest: Nearest) {
  const mistakes = mistakesIn(argv, nearest)
  if (mistakes.length > 0) throw new Error([...new Set(mistakes)].join('\n'))
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true, strict: true })
  const [verb = '', name, ...rest] = positionals
  const stray = verb === 'fault' ? rest : positionals.slice(1)
  if (stray.length > 0) throw new Error(`${stray.join(' ')} stands without a flag`)
  const { cure, 'cure-all': cureAll, list, node, when } = values
  const exitCode = number('exit-code', values['exit-code'])
  const [seconds, times] = [number('seconds', values.seconds), number('times', values.times)]
  if (!values.help && !list && values.cluster === undefined) throw new Error('Say which cluster: --cluster <id>')
  if (!/^[\w.-]*$/.test(values.cluster ?? '')) throw new Error(`${values.cluster} can be no cluster: --cluster <id>`)
  return {
    verb,
    help: values.help,
    dir: values.dir,
    /** like `cluster-101` */
    cluster: `cluster-${(values.cluster ?? '').replace(/^cluster-/, '')}`,
    speed: number('speed', values.speed),
    dieWith: number('die-with', values['die-with']),
    fault: { name, node, when, seconds, times, exitCode, cure, cureAll, list },
  }
}

/** What strict parsing would stop at, and what it would take: a flag that is there twice, and an empty value. */
function mistakesIn(argv: string[], nearest: Nearest): string[] {
  const known = new Map<string, { type: string }>(Object.entries(options))
  const { tokens } = parseArgs({ args: argv, options, allowPositionals: true, strict: false, tokens: true })
  const seen = new Set<string>()
  return tokens.flatMap((token) => {
    if (token.kind !== 'option') return []
    const { name, rawName, value } = token
    const isAgain = seen.has(name)
    seen.add(name)
    const option = rawName.startsWith('--') ? known.get(name) : undefined
    if (option === undefined) {
      const meant = nearest(name, [...known.keys()])
      return [`${rawName} is not a flag of lab${meant === undefined ? '' : ` (did you mean --${meant}?)`}`]
    }
    if (option.type === 'boolean') return value === undefined ? [] : [`${rawName} takes no value`]
    if (!value || (!token.inlineValue && value.startsWith('-'))) return [`${rawName} needs a value`]
    return isAgain ? [`${rawName} is there more than once`] : []
  })
}

function number(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!(Number(value) > 0)) throw new Error(`--${name} takes a number above 0, not "${value}"`)
  return Number(value)
}
