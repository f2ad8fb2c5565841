/** A YAML file as its author sees it: values, and the line and column that each of them came from. */
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  visit,
  type YAMLParseError,
} from 'yaml'
import { printable } from '../printable.ts'
import type { Problem } from '../problem.ts'

export type SourceText = { path: string; text: string }

export type YamlPath = readonly (string | number)[]

export type YamlSource = {
  /** what the file says; undefined where its syntax leaves no way to tell */
  value: unknown
  /** mistakes of syntax: tabs, duplicate keys, open brackets, unknown aliases */
  problems: Problem[]
  /** a problem with the value at `path`; of a value that is not there, at the nearest thing around it that is */
  problem(path: YamlPath, message: string, hint?: string): Problem
  /** plain values that other readers of YAML take for something else than we do */
  ambiguities(): Problem[]
  /** a problem with the last key of `path` rather than with its value */
  keyProblem(path: YamlPath, message: string, hint?: string): Problem
  /** every place in keys and values, not in comments, where the (global) pattern matches as it is written */
  search(pattern: RegExp): { match: RegExpExecArray; at(message: string, hint?: string): Problem }[]
  /** the YAML that is text at `path`, such as a patch within talconfig.yaml, document by document */
  inner(path: YamlPath): YamlSource[]
}

type Position = { line: number; col: number }

const HINTS: Record<string, string> = {
  TAB_AS_INDENT: 'use spaces',
  DUPLICATE_KEY: 'only one of the two can be meant',
  MULTIPLE_DOCS: 'take this line out, or all that follows',
}

/** Where the words of the parser are for whoever programs with it. */
const WORDS: Record<string, string> = {
  MULTIPLE_DOCS: 'a second document begins here, and only one is read',
  RESOURCE_EXHAUSTION: 'lists and maps are nested too deeply here',
}

/** Reads one YAML document (1.2 core schema, as Go's yaml.v3 all but does). Never throws. */
export function readYaml(file: SourceText): YamlSource {
  const lines = new LineCounter()
  const doc = parseDocument(sound(file.text), { lineCounter: lines, prettyErrors: false })
  return sourceOf(doc, file, (offset) => lines.linePos(offset))
}

/** What no YAML may hold, as Go's yaml.v3 has it: where one stands, the file is no text. */
const CONTROL = /[^\P{Cc}\t\n\r\x85]/u

/** The text where it can be YAML, else its lines alone: the parser would find nothing but nonsense in it. */
const sound = (text: string): string => (CONTROL.test(text) ? text.replace(/[^\n]/g, ' ') : text)

/** Reads a file that may hold several documents, as patches of a machine configuration do. Never throws. */
export const readYamlDocuments = (file: SourceText): YamlSource[] => documentsOf(file, (at) => at)

function documentsOf(file: SourceText, place: (at: Position) => Position): YamlSource[] {
  const lines = new LineCounter()
  const how = { lineCounter: lines, prettyErrors: false }
  const docs: Document[] = CONTROL.test(file.text)
    ? [parseDocument(sound(file.text), how)]
    : parseAllDocuments(file.text, how)
  return docs.map((doc) => sourceOf(doc, file, (offset) => place(lines.linePos(offset))))
}

function sourceOf(doc: Document, { path: file, text }: SourceText, placeOf: (offset: number) => Position): YamlSource {
  const problemAt = (offset: number, message: string, hint?: string): Problem => {
    const { line, col } = placeOf(offset)
    return { file, line: Math.max(line, 1), col: Math.max(col, 1), message, ...(hint && { hint }) }
  }

  const problems = tellingErrors(doc.errors, (error) => placeOf(error.pos[0]).line).map((error) =>
    problemAt(
      error.pos[0],
      error.code === 'DUPLICATE_KEY'
        ? duplicateMessage(text, error.pos[0])
        : (WORDS[error.code] ?? printable(error.message)),
      HINTS[error.code],
    ),
  )
  const control = CONTROL.exec(text)
  let readable = control === null && doc.errors.every((error) => error.code === 'DUPLICATE_KEY')
  const unreadable = (offset: number | undefined, message: string, hint?: string) => {
    readable = false
    problems.push(problemAt(offset ?? 0, message, hint))
  }
  if (control) unreadable(control.index, `here is the control character ${printable(control[0])}, so this is no YAML`)
  visit(doc, {
    // an alias without an anchor only throws in toJS(), without a position
    Alias(_key, alias, around) {
      const target = alias.resolve(doc)
      if (target === undefined) unreadable(alias.range?.[0], `no anchor is called &${alias.source}`)
      else if (around.includes(target)) unreadable(alias.range?.[0], `*${alias.source} is part of what it stands for`)
    },
    Pair(_key, { key }) {
      if (isCollection(key)) unreadable(key.range?.[0], 'a map or a list can not be a key', 'put {{ … }} in quotes')
    },
  })
  const value = readable ? plainValue(doc) : undefined
  if (value instanceof Error) problems.push(problemAt(0, 'the aliases of this file stand for too much', value.message))

  return {
    value: value instanceof Error ? undefined : value,
    problems,
    ambiguities: () => ambiguousScalars(doc).map(({ offset, message, hint }) => problemAt(offset, message, hint)),
    problem: (path, message, hint) => problemAt(offsetOf(doc, path), message, hint),
    keyProblem: (path, message, hint) => problemAt(keyOffsetOf(doc, path) ?? offsetOf(doc, path), message, hint),
    search(pattern) {
      const found: ReturnType<YamlSource['search']> = []
      visit(doc, {
        Scalar(_key, { range }) {
          if (!range) return
          for (const match of text.slice(range[0], range[1]).matchAll(pattern))
            found.push({ match, at: (message, hint) => problemAt(range[0] + match.index, message, hint) })
        },
      })
      return found
    },
    inner(path) {
      const node = doc.getIn(path, true)
      if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return []
      const start = placeOf(node.range[0])
      const written = text.slice(node.range[0], node.range[1]).split('\n')
      const indent = /^ */.exec(written.slice(1).find((line) => line.trim() !== '') ?? '')?.[0].length ?? 0
      // only in a literal block the lines of the text are lines of the file
      const place =
        node.type === 'BLOCK_LITERAL'
          ? ({ line, col }: Position) => ({ line: start.line + line, col: indent + col })
          : () => start
      return documentsOf({ path: file, text: node.value }, place)
    },
  }
}

/** Aliases of aliases of aliases fill any memory; the library stops at some point, and Talos does, too. */
function plainValue(doc: Document): unknown {
  try {
    return doc.toJS()
  } catch (error) {
    if (error instanceof ReferenceError) return error
    throw error
  }
}

/**
 * Go's yaml.v3 and PyYAML read some plain values as YAML 1.1 did: `on` is true to PyYAML, `012` is ten to both, and
 * `12:30` is 750 to PyYAML. Quoted, all of them are what they look like.
 */
function ambiguousScalars(doc: Document): { offset: number; message: string; hint: string }[] {
  const found: { offset: number; message: string; hint: string }[] = []
  visit(doc, {
    Scalar(_key, { type, source = '', range }) {
      const other = type === 'PLAIN' ? otherReading(source) : undefined
      if (other !== undefined)
        found.push({
          offset: range?.[0] ?? 0,
          message: `${source} without quotes is ${other} to other readers of YAML`,
          hint: `"${source}"`,
        })
    },
  })
  return found
}

function otherReading(plain: string): string | undefined {
  if (/^(y|yes|on)$/i.test(plain)) return 'true'
  if (/^(n|no|off)$/i.test(plain)) return 'false'
  if (/^[-+]?0[0-7_]+$/.test(plain)) return 'an octal number'
  return /^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$/.test(plain) ? 'a number to the base of 60' : undefined
}

/** One mistake makes the parser stumble several times: a tab until the end of the file, others within their line. */
function tellingErrors(errors: readonly YAMLParseError[], lineOf: (error: YAMLParseError) => number): YAMLParseError[] {
  const tabs = errors.filter(({ code }) => code === 'TAB_AS_INDENT')
  const told = new Set<number>()
  return (tabs.length > 0 ? tabs : errors).filter((error) => {
    const line = lineOf(error)
    return !told.has(line) && told.add(line)
  })
}

const duplicateMessage = (text: string, offset: number): string =>
  `the key ${/^[^:\s]*/.exec(text.slice(offset))?.[0] ?? ''} is there twice`

function offsetOf(doc: Document, path: YamlPath): number {
  for (let length = path.length; length > 0; length--) {
    const node = doc.getIn(path.slice(0, length), true)
    // what is missing has no place of its own: a key is missing below its parent's key, an item at the item
    if (length < path.length) {
      const key = keyOffsetOf(doc, path.slice(0, length))
      if (key !== undefined) return key
    }
    if (isNode(node) && node.range) return node.range[0]
  }
  return doc.contents?.range?.[0] ?? 0
}

function keyOffsetOf(doc: Document, path: YamlPath): number | undefined {
  const parent = path.length === 1 ? doc.contents : doc.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
  return pair !== undefined && isNode(pair.key) ? pair.key.range?.[0] : undefined
}
