/** Renders with the jinja2 of the person's own python3: makejinja's delimiters and all of Python's methods and filters. */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { nearest } from '../../../workflows/model/nearest.ts'
import type { Problem } from '../../../workflows/model/problem.ts'
import { readText } from '../../disk/read-text.ts'
import { howEnded, isMissing } from '../../tools/ended.ts'
import { originsOf } from './output-origin.ts'
import type { Rendered, RenderRequest } from './render-template.ts'
import { templateHelpers } from './template-helpers.ts'

/** Half a minute: five hundred nodes take less than one second. */
const timeoutMs = 30_000

type Place = { path: string; line: number }

/** What render-with-jinja2.py answers. */
type Answer =
  | { text: string; paths: string[] }
  | { missing: string }
  | (Place & { kind: 'undefined'; name: string; known: 'context' | string[] | null; empty: boolean })
  | (Place & { kind: 'syntax' | 'type' | 'other' | 'helper'; message: string; hint?: string | null })
  | (Place & { kind: 'absent' | 'outside'; names: string[] })
  | (Place & { kind: 'soft' | 'recursion' | 'zero' })

export async function renderWithJinja2(
  request: RenderRequest,
): Promise<{ ok: true; rendered: Rendered } | { ok: false; problems: Problem[] }> {
  const answer = await ask(request, false)
  if (!('text' in answer)) return { ok: false, problems: [problemOf(request, answer)] }
  const { text } = answer
  let origins: Promise<{ paths: string[]; lines: ReturnType<typeof originsOf> }> | undefined
  const find = async () => {
    const marked = await ask(request, true)
    return 'text' in marked
      ? { paths: marked.paths, lines: originsOf(text, marked.text) }
      : { paths: [], lines: undefined }
  }
  return {
    ok: true,
    rendered: {
      text,
      async origin(line) {
        origins ??= find()
        const { paths, lines } = await origins
        const found = lines?.[line - 1]
        const path = found && paths[found.template]
        return path === undefined || !found ? undefined : { path, line: found.line }
      },
    },
  }
}

async function ask({ run, root, path, context, options }: RenderRequest, marked: boolean): Promise<Answer | Problem> {
  const request = { root, path, context, options, marked }
  const answer = await run({
    tool: 'python3',
    argv: [join(import.meta.dirname, 'render-with-jinja2.py')],
    stdin: JSON.stringify(request),
    timeoutMs,
    mutates: false,
  })
  const file = path
  const place = { file, line: 1, col: 1 }
  if (answer.ended.by === 'deadline')
    return {
      ...place,
      message: `the template takes longer than ${timeoutMs / 1000} s`,
      hint: 'a loop in it may not end',
    }
  if (isMissing(answer))
    return {
      ...place,
      message: 'python3 is not there, and `engine: jinja2` needs it',
      hint: 'install python3, then pip install jinja2',
    }
  try {
    return JSON.parse(answer.stdout) as Answer
  } catch {
    // Its standard error could show values of the context.
    return {
      ...place,
      message: `python3 failed to render: it ${howEnded(answer)}`,
      hint: 'pip install jinja2',
    }
  }
}

function problemOf(request: RenderRequest, answer: Exclude<Answer, { text: string }> | Problem): Problem {
  if ('file' in answer) return { ...answer, file: request.shown(answer.file) }
  if ('missing' in answer)
    return {
      file: request.shown(request.path),
      line: 1,
      col: 1,
      message: 'python3 has no jinja2, and `engine: jinja2` needs it',
      hint: 'pip install jinja2',
    }
  const source = lineText(request, answer)
  const at = (found: number) => ({
    file: request.shown(answer.path),
    line: answer.line,
    col: Math.max(1, [...source.slice(0, found)].length + 1),
  })
  const start = at(Math.max(0, firstTag(request, source)))
  switch (answer.kind) {
    case 'undefined':
      return { ...undefinedProblem(request, answer, source, at) }
    case 'absent':
    case 'outside': {
      const [name = ''] = answer.names
      // A name that was worked out may be a value.
      const shown = source.includes(name) ? `'${name}'` : 'what is included'
      const message =
        answer.kind === 'outside'
          ? `${shown} is outside of ${request.shown('')}`
          : `there is no template ${shown} in ${request.shown('')}`
      const quoted = source.includes(name)
        ? Math.max(0, source.indexOf(name) - 1)
        : Math.max(0, firstTag(request, source))
      return { ...at(quoted), message }
    }
    case 'syntax': {
      const unknown = /^No (filter|test) named '([^']+)'/.exec(answer.message)
      if (unknown)
        return {
          ...at(Math.max(0, source.search(new RegExp(`\\b${unknown[2]}\\b`)))),
          message: `no ${unknown[1]} is called '${unknown[2]}'`,
        }
      return { ...start, message: lower(answer.message.replace(/\.$/, '')) }
    }
    case 'helper':
      return { ...start, message: answer.message, ...(answer.hint && { hint: answer.hint }) }
    case 'soft':
      return { ...start, message: 'a value is undefined here' }
    case 'recursion':
      return { ...start, message: 'the template calls itself without end' }
    case 'zero':
      return { ...start, message: 'division by zero' }
    case 'type':
      return { ...start, message: typesOnly(answer.message) ? answer.message : 'a value has the wrong type' }
    case 'other':
      return { ...start, message: `Python raised ${answer.message}` }
  }
}

/** Python's own words name types and operators; whoever quotes anything else may quote a value. */
const typesOnly = (message: string): boolean =>
  [...message.matchAll(/'([^']*)'|"([^"]*)"/g)].every(([, a, b]) =>
    /^(str|int|float|list|dict|bool|NoneType|tuple|generator|[<>]=?)$/.test(a ?? b ?? ''),
  )

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

/** Where the first tag of a line has its first word. */
function firstTag({ options }: RenderRequest, source: string): number {
  const starts = [options.delimiters?.variable[0] ?? '{{', options.delimiters?.block[0] ?? '{%']
  const found = starts.map((start) => ({ start, at: source.indexOf(start) })).filter(({ at }) => at >= 0)
  const [first] = found.sort((a, b) => a.at - b.at)
  if (!first) return source.search(/\S/)
  const after = first.at + first.start.length
  return after + (/^[-+]?\s*/.exec(source.slice(after))?.[0].length ?? 0)
}

function lineText({ root }: RenderRequest, { path, line }: Place): string {
  try {
    return readText(realpathSync(join(root, path))).split(/\r\n?|\n/)[line - 1] ?? ''
  } catch {
    return ''
  }
}

/** Python says the last name of the path; the line of the template has the rest of it. */
function undefinedProblem(
  { context }: RenderRequest,
  answer: { name: string; known: 'context' | string[] | null; empty: boolean },
  source: string,
  at: (found: number) => { file: string; line: number; col: number },
): Problem {
  const { name, known } = answer
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const path = /^\w+$/.test(name)
    ? new RegExp(
        `(?:[A-Za-z_]\\w*(?:\\.\\w+|\\[[^\\]]*\\])*\\.)?(?<![\\w.])${escaped}\\b|[A-Za-z_]\\w*(?:\\.\\w+|\\[[^\\]]*\\])*(?:\\.${escaped}\\b|\\[(['"]?)${escaped}\\1\\])`,
      ).exec(source)
    : null
  // A key that was worked out is a value: only what the template says is said.
  if (!path)
    return {
      ...at(Math.max(0, source.search(/\S/))),
      message: answer.empty ? 'a value is undefined here' : 'something is undefined here',
    }
  const [text] = path
  const meant =
    name.length < 3
      ? undefined
      : nearest(name, known === 'context' ? [...Object.keys(context), ...Object.keys(templateHelpers)] : (known ?? []))
  const last = text.lastIndexOf(name)
  const better = meant && text.slice(0, last) + meant + text.slice(last + name.length)
  return {
    ...at(path.index),
    message: `'${text}' is undefined`,
    ...(better && better !== text && { hint: `did you mean ${better}?` }),
  }
}
