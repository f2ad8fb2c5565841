import { structuredPatch } from 'diff'
import { parseAllDocuments, stringify } from 'yaml'
import { map, text } from '../../../workflows/model/foreign-json.ts'
import { redact } from '../../view/redact.ts'
import { eachLeaf, type IsSecret, type LeafPath, secretLeaves } from './secret-leaves.ts'

/** How one document of a configuration changes. Nothing secret is in it. */
export type DocumentDiff = {
  /** kind and name: `HostnameConfig k8s-1`; `v1alpha1 machine configuration` for the one without a kind */
  document: string
  change: 'added' | 'removed' | 'changed'
  /** hunks of a unified diff of two lines of context; every line ends with a line break */
  patch: string
}

const HIDDEN = '(redacted)'
// not within the parentheses: the redactor leaves a value alone that begins like this
const HIDDEN_CHANGED = '(redacted), changed'

/**
 * The changes between two texts of a configuration of several YAML documents, by kind and name, in the order of the later
 * text. Both are compared by value, so that comments and quotes are no change. Secret leaves are shown as `(redacted)`, and
 * as `(redacted), changed` where the new one is another. `secrets` are values that must not be seen wherever they stand.
 * A text that is no YAML changes as a whole and shows nothing.
 */
export function configDiff(
  before: string | undefined,
  after: string | undefined,
  { secrets = [] }: { secrets?: Iterable<string> } = {},
): DocumentDiff[] {
  const known = [...secrets]
  const isSecret = secretLeaves(known)
  const [old, made] = [documentsOf(before), documentsOf(after)]
  if (old === undefined || made === undefined)
    return before === after ? [] : [{ document: 'text that can not be read as YAML', change: 'changed', patch: '' }]
  const names = [...made.keys(), ...[...old.keys()].filter((name) => !made.has(name))]
  return names.flatMap((document) => {
    const [was, is] = [old.get(document), made.get(document)]
    const hidden = {
      was: was && hide(was, leavesOf(is, isSecret), isSecret, false),
      is: is && hide(is, leavesOf(was, isSecret), isSecret, was !== undefined),
    }
    const label = labelOf(document, is ?? was)
    const patch = patchOf(textOf(hidden.was?.content), textOf(hidden.is?.content), known)
    if (was && is && patch === '') return []
    return [{ document: shown(label, known), change: was ? (is ? 'changed' : 'removed') : 'added', patch }]
  })
}

type ConfigDocument = { kind: string | undefined; content: unknown }

/** By kind and name; undefined where the text is no YAML. */
function documentsOf(text: string | undefined): Map<string, ConfigDocument> | undefined {
  const documents = new Map<string, ConfigDocument>()
  if (text === undefined) return documents
  const parsed = parseAllDocuments(text, { logLevel: 'silent' })
  if (!Array.isArray(parsed)) return documents
  for (const document of parsed) {
    if (document.errors.length > 0) return undefined
    let content: unknown
    try {
      content = document.toJS()
    } catch {
      // an alias without an anchor
      return undefined
    }
    if (content === null) continue
    const { name, kind } = nameOf(content)
    let unique = name
    for (let twin = 2; documents.has(unique); twin++) unique = `${name} (${twin})`
    documents.set(unique, { kind, content })
  }
  return documents
}

function nameOf(content: unknown): { name: string; kind: string | undefined } {
  const document = map(content)
  const kind = text(document.kind)
  if (kind !== undefined) return { kind, name: [kind, text(document.name)].filter(Boolean).join(' ') }
  if ('machine' in document || 'cluster' in document)
    return { kind: 'v1alpha1', name: 'v1alpha1 machine configuration' }
  if ('contexts' in document) return { kind: undefined, name: 'talosconfig' }
  return { kind: undefined, name: 'clusterName' in document && 'nodes' in document ? 'talconfig' : 'document' }
}

/** There is one HostnameConfig, which has no name but tells one. */
const labelOf = (name: string, document: ConfigDocument | undefined): string => {
  const hostname = text(map(document?.content).hostname)
  return name === document?.kind && hostname !== undefined ? `${name} ${hostname}` : name
}

/** Secret leaves of the other side: by place, and by place without indices for lists that grew or shrank. */
type Leaves = { at: Map<string, unknown>; near: Map<string, unknown[]> }

const place = (path: LeafPath): string => JSON.stringify(path)
const nearby = (path: LeafPath): string => JSON.stringify(path.map((part) => (typeof part === 'number' ? '*' : part)))

function leavesOf(document: ConfigDocument | undefined, isSecret: IsSecret): Leaves {
  const leaves: Leaves = { at: new Map(), near: new Map() }
  eachLeaf(document?.content, (path, value, siblings) => {
    if (!isSecret(path, value, siblings, document?.kind)) return
    leaves.at.set(place(path), value)
    leaves.near.set(nearby(path), [...(leaves.near.get(nearby(path)) ?? []), value])
  })
  return leaves
}

/** The document with every secret leaf hidden; where `mark` is set, one that the other side has otherwise says so. */
function hide(document: ConfigDocument, other: Leaves, isSecret: IsSecret, mark: boolean): ConfigDocument {
  const own = leavesOf(document, isSecret)
  const isSame = (path: LeafPath, value: unknown): boolean => {
    if (other.at.get(place(path)) === value) return true
    // an item that was put in before others moves them, and changes nothing of them
    const theirs = other.near.get(nearby(path)) ?? []
    return theirs.length !== own.near.get(nearby(path))?.length && theirs.includes(value)
  }
  const walk = (value: unknown, path: LeafPath, siblings: readonly string[]): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index], siblings))
    if (typeof value === 'object' && value !== null) {
      const keys = Object.keys(value)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key], keys)]))
    }
    if (!isSecret(path, value, siblings, document.kind)) return value
    return mark && other.near.has(nearby(path)) && !isSame(path, value) ? HIDDEN_CHANGED : HIDDEN
  }
  return { kind: document.kind, content: walk(document.content, [], []) }
}

const textOf = (content: unknown): string =>
  content === undefined ? '' : stringify(content, { lineWidth: 0, aliasDuplicateObjects: false })

function patchOf(before: string, after: string, known: readonly string[]): string {
  const { hunks } = structuredPatch('', '', before, after, '', '', { context: 2 })
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    ...lines.map((line) => shown(line, known)),
  ])
  return lines.map((line) => `${line}\n`).join('')
}

/** The last line of defence, for secrets in the keys of maps and what else is no leaf. */
const shown = (text: string, known: readonly string[]): string =>
  redact(known.reduce((clean, secret) => (secret.length >= 8 ? clean.replaceAll(secret, HIDDEN) : clean), text))
