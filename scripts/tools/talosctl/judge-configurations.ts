/** What talosctl has against machine configurations, in words that quote nothing secret of them. */
import { availableParallelism } from 'node:os'
import pLimit from 'p-limit'
import { parse, parseAllDocuments } from 'yaml'
import type { MachineMode } from '../../../workflows/plan/configuration.ts'
import { eachLeaf, secretLeaves } from '../../config/diff/secret-leaves.ts'
import type { CommandResult, Run } from '../../run.ts'
import { redact } from '../../view/redact.ts'
import { howEnded, isDone } from '../ended.ts'
import { validateCommand } from './validate-command.ts'

export type Judged = { name: string; text: string; mode: MachineMode }

type Alike = Omit<Judged, 'name'> & { names: string[] }

/** By name, what talosctl says against each of them: once for those that are alike, as many at once as there are processors. */
export async function judgeConfigurations(
  run: Run,
  configurations: readonly Judged[],
  { strict, signal }: { strict: boolean; signal?: AbortSignal | undefined },
): Promise<Map<string, string>> {
  const objections = new Map<string, string>()
  const distinct = new Map<string, Alike>()
  for (const { name, text, mode } of configurations) {
    const key = `${mode} ${text}`
    const alike = distinct.get(key) ?? { text, mode, names: [] }
    alike.names.push(name)
    distinct.set(key, alike)
  }
  const judge = async ({ text, mode, names }: Alike): Promise<void> => {
    if (signal?.aborted) return
    const answer = await run(validateCommand(text, mode, { strict }), { signal })
    if (!isDone(answer)) for (const name of names) objections.set(name, objectionIn(answer, text))
  }
  await pLimit(availableParallelism()).map(distinct.values(), judge)
  return objections
}

const LONGEST = 600

/** A command that ended without a word, or not at all, is an objection: what is not known is not "none". */
function objectionIn(result: CommandResult, text: string): string {
  if (result.ended.by === 'deadline') return `talosctl validate ${howEnded(result)}`
  const said = withoutValues(result.stderr.trim().replace(/^(error|Error): /, ''))
  const clean = redact(withoutSecrets(said, text))
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim()
  if (clean === '') return `talosctl validate ${howEnded(result)} and said nothing`
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)} …` : clean
}

/** Unknown keys are said with all that is below them, and what can not be decoded with its beginning. */
const withoutValues = (said: string): string =>
  said
    .replaceAll(
      /(unknown keys found during decoding:)\n((?:[^\n]+\n?)+)/g,
      (_, what, tree) => `${what} ${keysOf(tree)}\n`,
    )
    .replaceAll(/`[^`]*`/g, '`…`')
    // names, kinds, versions, images and addresses are worth to be read
    .replaceAll(/"([^"\n]*)"/g, (whole, word) => (/^[\w./:@-]{0,120}$/.test(word) ? whole : '"…"'))

function keysOf(tree: string): string {
  const keys = new Set<string>()
  try {
    eachLeaf(parse(tree), (path) => keys.add(path.filter((part) => typeof part === 'string').join('.')))
  } catch {
    // its names are not worth a look at its values
  }
  return [...keys].join(', ')
}

/** Values that stand in the configuration where secrets do; short ones only where they are all that is quoted. */
function withoutSecrets(said: string, text: string): string {
  const isSecret = secretLeaves([])
  const secrets = new Set<string>()
  for (const document of parseAllDocuments(text, { logLevel: 'silent' })) {
    const content = toPlain(document)
    const kind = (content as { kind?: string } | null)?.kind ?? 'v1alpha1'
    eachLeaf(content, (path, value, siblings) => {
      if (isSecret(path, value, siblings, kind)) secrets.add(String(value))
    })
  }
  return [...secrets]
    .sort((a, b) => b.length - a.length)
    .reduce((clean, secret) => clean.replaceAll(secret.length < 8 ? `"${secret}"` : secret, '…'), said)
}

function toPlain(document: { toJS(): unknown }): unknown {
  try {
    return document.toJS()
  } catch {
    return null
  }
}
