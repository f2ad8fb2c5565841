/** Holds a YAML file against a valibot schema and words what does not fit for the person who wrote the file. */
import { type BaseIssue, type BaseSchema, type InferOutput, safeParse } from 'valibot'
import { nearest } from '../nearest.ts'
import type { Problem } from '../problem.ts'
import { misfit, pathText, show } from './misfit.ts'
import type { YamlPath, YamlSource } from './yaml-source.ts'

type Schema = BaseSchema<unknown, unknown, BaseIssue<unknown>>

/** A map of the schema: the keys that may stand there, and whether others are mistakes or merely not for us. */
export type KnownKeys = { at: YamlPath; keys: readonly string[]; others: 'mistakes' | 'tolerated' }

/** Every misfit at once; `value` only when there is none. A key that nearly is a known one is always a mistake. */
export function checkShape<T extends Schema>(
  source: YamlSource,
  schema: T,
  known: readonly KnownKeys[],
): { value?: InferOutput<T>; problems: Problem[] } {
  const problems = known.flatMap((keys) => unknownKeys(source, keys))
  const parsed = safeParse(schema, source.value)
  for (const issue of (parsed.issues ?? []).flatMap(meant)) {
    const path = (issue.path ?? []).map((item) => item.key as string | number)
    problems.push(source.problem(path, ...wording(pathText(path), issue)))
  }
  return parsed.success && problems.length === 0 ? { value: parsed.output, problems } : { problems }
}

/** Of what may be text or a list, text that is wrong text is told as such, and not as no list. */
function meant(issue: BaseIssue<unknown>): BaseIssue<unknown>[] {
  const within = (issue.issues ?? []).filter(({ kind }) => kind === 'validation')
  if (issue.type !== 'union' || within.length === 0) return [issue]
  // valibot leaves out of the inner paths what leads to the union itself
  return within.map((inner) => ({ ...inner, path: [...(issue.path ?? []), ...(inner.path ?? [])] as never }))
}

function unknownKeys(source: YamlSource, { at, keys, others }: KnownKeys): Problem[] {
  let map: unknown = source.value
  for (const key of at) map = (map as Record<string | number, unknown> | null | undefined)?.[key]
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return []
  const present = Object.keys(map)
  return present.flatMap((key) => {
    if (keys.includes(key)) return []
    const meant = nearest(
      key,
      keys.filter((other) => !present.includes(other)),
    )
    if (meant === undefined && others === 'tolerated') return []
    const hint = meant === undefined ? `known are ${keys.join(', ')}` : `did you mean ${meant}?`
    return [source.keyProblem([...at, key], `${pathText([...at, key])} is not a known key`, hint)]
  })
}

function wording(name: string, issue: BaseIssue<unknown>): [message: string, hint?: string] {
  // checks of our own carry a whole sentence without its subject: "is not an IP address"
  if (issue.kind === 'validation') return [`${name} ${show(issue.input)} ${issue.message}`]
  const types = issue.issues?.map(({ type }) => type) ?? [issue.type]
  const known = [...new Set(types.flatMap((type) => EXPECTED[type] ?? []))]
  if (issue.received === 'undefined') return [name ? `${name} is missing` : 'the file is empty']
  if (issue.received === 'null')
    return name ? [`${name} is empty`, `expected ${known.join(' or ') || issue.expected}`] : ['the file is empty']
  return misfit(name, known.length > 0 ? known : [issue.expected ?? 'something else'], issue.input)
}

const EXPECTED: Record<string, string> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  object: 'a map',
  array: 'a list',
}
