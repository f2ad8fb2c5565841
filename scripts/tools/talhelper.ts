/**
 * talhelper's command lines, as data, and what it says. Flags that take a list split their values at commas, as CSV; so
 * paths are quoted for that. Never `--dry-run` or `--debug`: they print secrets.
 */
import type { Command } from '../run.ts'

/** What one run of genconfig reads and writes; paths are absolute. */
export type GenConfig = {
  configFile: string
  /** encrypted; talhelper decrypts it itself. It has to exist: without it talhelper makes a new cluster, and exits 0. */
  secretFile: string
  /** flat `key: value` pairs; without any a file that is not there, or `talenv.yaml` of the current folder is read */
  envFile: string
  /** becomes 0700 if talhelper makes it; files in it are 0600 and replaced one by one */
  outDir: string
  mode?: 'metal' | 'cloud' | 'container'
  /** of the client certificate in the talosconfig, as Go writes durations: `8760h`; a year without it */
  certificateTtl?: string
  /** leaves the list of nodes out of the talosconfig, without which `talosctl reset` alone reaches no node */
  withoutNodes?: boolean
}

/** Every call of talhelper that the project makes. */
export const talhelperCommands = {
  /** The schematic ids are computed and not posted, so nothing goes over the network. */
  genConfig: (of: GenConfig, timeoutMs = 120_000): Command => ({
    tool: 'talhelper',
    argv: [
      'genconfig',
      '--config-file',
      of.configFile,
      '--secret-file',
      asList(of.secretFile),
      '--env-file',
      asList(of.envFile),
      '--out-dir',
      of.outDir,
      '--talos-mode',
      of.mode ?? 'metal',
      '--offline-mode',
      '--no-gitignore',
      ...(of.certificateTtl === undefined ? [] : ['--crt-ttl', of.certificateTtl]),
      ...(of.withoutNodes ? ['--disable-nodes-section'] : []),
    ],
    timeoutMs,
    mutates: true,
  }),
  /** A new secrets bundle on standard output: for a pipe and memory only. */
  genSecret: (): Command => ({ tool: 'talhelper', argv: ['gensecret'], timeoutMs: 60_000, mutates: false }),
  /** The bundle of an existing cluster, out of the machine configuration of one of its control planes. */
  genSecretFrom: (machineConfig: string): Command => ({
    tool: 'talhelper',
    argv: ['gensecret', '--from-configfile', machineConfig],
    timeoutMs: 60_000,
    mutates: false,
  }),
  /** Writes the JSON Schema of talconfig.yaml, overwriting. */
  genSchema: (file: string): Command => ({
    tool: 'talhelper',
    argv: ['genschema', '--file', file],
    timeoutMs: 60_000,
    mutates: true,
  }),
}

const asList = (path: string): string => (/[",\n]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path)

/** One thing that talhelper, or Talos' own validation inside it, has to say. */
export type TalhelperProblem = {
  /** as talhelper writes it: `nodes[2].installDiskSelector`, a path in talconfig.yaml */
  field?: string
  message: string
  warning: boolean
}

/** Words in front of a message that tell where in talhelper's own code it arose. */
const PREFIXES =
  /^(failed to parse config file|failed to generate talos config|failed to generate secret bundle|failed to substitute env|failed to unmarshal config file): /

/**
 * What a run of talhelper complains about, from both of its streams: fields first, in a fixed order (talhelper's own is
 * that of a Go map). Empty for a run without complaint. A warning does not make talhelper fail.
 */
export function talhelperProblems(stdout: string, stderr: string): TalhelperProblem[] {
  const fields = fieldProblems(stdout)
  fields.sort((a, b) => Number(a.warning) - Number(b.warning) || compare(a.field, b.field))
  const others = stderrProblems(stderr)
  return [...fields, ...others]
}

const compare = (a = '', b = ''): number => a.localeCompare(b, 'en', { numeric: true })

/** `field: "…"`, then a line `  * …` for each message, whose own further lines have no bullet. */
function fieldProblems(stdout: string): TalhelperProblem[] {
  const problems: TalhelperProblem[] = []
  let field: string | undefined
  for (const line of stdout.split(/\r?\n/)) {
    const heading = /^field: "(.*)"$/.exec(line)
    if (heading) {
      field = heading[1]
      continue
    }
    // what Talos' strict validation warns of stands alone on its line, and it fails after that for the same reason
    if (/^(There are issues with|generated |WARNING: |no changes found)/.test(line) || line.trim() === '') {
      if (/^WARNING: /.test(line)) problems.push({ message: line.replace('WARNING: ', ''), warning: true })
      field = undefined
      continue
    }
    if (field === undefined) continue
    const bullet = /^ {2}\* (WARNING: )?(.*)$/.exec(line)
    const last = problems.at(-1)
    if (bullet) problems.push({ field, message: bullet[2] ?? '', warning: bullet[1] !== undefined })
    else if (last?.field === field) last.message += `\n${line}`
  }
  return problems
}

function stderrProblems(stderr: string): TalhelperProblem[] {
  const text = stderr.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, '').trimEnd()
  if (text === '' || /please fix issues with your config file$/.test(text)) return []
  // a Go panic says what it is on its first line; the rest is for talhelper's authors
  const panic = /^panic: .*$/m.exec(text)
  if (panic) return [{ message: `talhelper crashed: ${panic[0].replace('panic: ', '')}`, warning: false }]
  let message = text
  while (PREFIXES.test(message)) message = message.replace(PREFIXES, '')
  return /\d+ errors? occurred:$/m.test(message) ? listed(message) : [{ message, warning: false }]
}

/**
 * The lists of Go's multierror, one inside the other: a heading, a bullet for each error, an empty line. A heading is kept
 * where it names a document; errors of v1alpha1.Config name their field themselves.
 */
function listed(text: string): TalhelperProblem[] {
  const problems: TalhelperProblem[] = []
  let heading = ''
  for (const part of text.split('\t* ')) {
    const nested = /^(.*?)(?:: )?\d+ errors? occurred:\s*$/.exec(part)
    if (nested) {
      heading = nested[1] === 'v1alpha1.Config' ? '' : (nested[1] ?? '')
      continue
    }
    // strict as talhelper is, a warning of Talos is what it failed for
    const message = part.trim().replace(/^warning: /, '')
    if (message) problems.push({ message: heading ? `${heading}: ${message}` : message, warning: false })
    if (/\n\n$/.test(part)) heading = ''
  }
  return problems
}
