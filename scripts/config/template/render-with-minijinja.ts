/**
 * Renders with minijinja-js. Four things of its binding to know: a template called `x.yaml` gets its values quoted, so
 * all are called t0, t1, …; a function that throws aborts the whole WebAssembly instance, so ours never do; an error
 * with `debug` on lists the values that the template used, so only its first line and its mark are read; and maps come
 * back sorted by key.
 */
import { realpathSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { Environment } from 'minijinja-js'
import { nearest } from '../../../workflows/model/nearest.ts'
import type { Problem } from '../../../workflows/model/problem.ts'
import { readText } from '../../disk/read-text.ts'
import { UnfitFile } from '../../disk/unfit-file.ts'
import { callJinja, printed } from './jinja-functions.ts'
import { lexTemplate, TemplateSyntaxError } from './lex-template.ts'
import { MapOrder } from './map-order.ts'
import { originsOf } from './output-origin.ts'
import { fromPlain, toPlain } from './plain-value.ts'
import type { Rendered, RenderRequest } from './render-template.ts'
import { templateHelpers } from './template-helpers.ts'
import { TemplateTrouble, type TemplateValue, undefinedMark } from './template-value.ts'
import type { Reference, Site, TagPlace, Translated, TranslateRequest } from './translate-request.ts'
import { boundNames, referencesOf, translateTemplate } from './translate-template.ts'

/** Instructions that a template may take: some ten seconds. */
const fuel = 50_000_000

type Template = { path: string; alone: boolean; source: string }

/** A template as its author wrote it, and how to tell a place in it. */
type Loaded = {
  templates: Template[]
  problems: Problem[]
  bound: Set<string>
  numberOf(path: string, alone: boolean): number | undefined
}

export function renderWithMinijinja(
  request: RenderRequest,
): { ok: true; rendered: Rendered } | { ok: false; problems: Problem[] } {
  const { options, context } = request
  if (options.delimiters)
    return {
      ok: false,
      problems: [
        {
          file: request.shown(request.path),
          line: 1,
          col: 1,
          message: 'minijinja knows no delimiters but its own',
          hint: 'set `engine: jinja2` in operations.yaml',
        },
      ],
    }
  const loaded = load(request)
  if (loaded.problems.length > 0) return { ok: false, problems: loaded.problems }
  const first = renderOnce(request, loaded, false)
  if (!first.ok) return first
  const { text } = first
  let origins: ReturnType<typeof originsOf>
  let asked = false
  return {
    ok: true,
    rendered: {
      text,
      async origin(line) {
        if (!asked) {
          const marked = renderOnce({ ...request, context }, loaded, true)
          origins = marked.ok ? originsOf(text, marked.text) : undefined
          asked = true
        }
        const found = origins?.[line - 1]
        const template = found && loaded.templates[found.template]
        return template && { path: template.path, line: found.line }
      },
    },
  }
}

/** Reads the template and whatever it leads to by literal names. */
function load(request: RenderRequest): Loaded {
  const root = realpathSync(request.root)
  const templates: Template[] = []
  const problems: Problem[] = []
  const bound = new Set<string>()
  const numbers = new Map<string, number>()
  const key = (path: string, alone: boolean) => `${alone ? 'alone' : 'with'} ${path}`
  const outside = (path: string) => ({ trouble: `'${path}' is outside of ${request.shown('')}` })
  const read = (path: string): { source: string } | { trouble: string } | undefined => {
    try {
      const real = realpathSync(join(root, path))
      if (!real.startsWith(root + sep)) return outside(path)
      // As Jinja reads them.
      return { source: readText(real).replace(/\r\n?/g, '\n') }
    } catch (error) {
      if (error instanceof UnfitFile) return { trouble: error.message }
      return relative(root, join(root, path)).startsWith('..') ? outside(path) : undefined
    }
  }
  const add = (path: string, alone: boolean, from?: { template: Template; reference: Reference }): void => {
    if (numbers.has(key(path, alone))) return
    const found = read(path)
    if (found === undefined || 'trouble' in found) {
      const message = found?.trouble ?? `there is no template '${path}' in ${request.shown('')}`
      const optional =
        found === undefined &&
        from?.reference.how === 'include' &&
        mayBeMissing(from.template.source, from.reference.at)
      if (optional) return
      const place = from ? placeOf(from.template.source, from.reference.at) : { line: 1, col: 1 }
      problems.push({ file: request.shown(from?.template.path ?? path), ...place, message })
      return
    }
    const template = { path, alone, source: found.source }
    numbers.set(key(path, alone), templates.length)
    templates.push(template)
    try {
      const segments = lexTemplate(found.source)
      for (const name of boundNames(segments)) bound.add(name)
      for (const reference of referencesOf(segments))
        add(reference.path, reference.how === 'import' || (alone && reference.how !== 'import with context'), {
          template,
          reference,
        })
    } catch (error) {
      problems.push(syntaxProblem(request, template, error))
    }
  }
  add(request.path, false)
  return { templates, problems, bound, numberOf: (path, alone) => numbers.get(key(path, alone)) }
}

/** `ignore missing`, or one of several names. */
function mayBeMissing(source: string, at: number): boolean {
  const start = source.lastIndexOf('{%', at)
  const tag = source.slice(start, source.indexOf('%}', at))
  return /ignore\s+missing/.test(tag) || /include\s*\[/.test(tag)
}

function syntaxProblem(request: RenderRequest, template: Template, error: unknown): Problem {
  if (!(error instanceof TemplateSyntaxError)) throw error
  return {
    file: request.shown(template.path),
    ...placeOf(template.source, error.at),
    message: error.message,
    ...(error.hint && { hint: error.hint }),
  }
}

function placeOf(source: string, at: number): { line: number; col: number } {
  const before = source.slice(0, at).split('\n')
  return { line: before.length, col: [...(before.at(-1) ?? '')].length + 1 }
}

function renderOnce(
  request: RenderRequest,
  loaded: Loaded,
  marked: boolean,
): { ok: true; text: string } | { ok: false; problems: Problem[] } {
  const { options } = request
  const set = [loaded.templates.map(({ path, alone }) => [path, alone]), [...loaded.bound]]
  const sites: Site[] = []
  const places: TagPlace[][] = []
  const problems: Problem[] = []
  const contextNames = Object.keys(request.context)
  const fractions = holds(fromPlain(request.context), (part) => typeof part === 'number' && !Number.isInteger(part))
  const environment = new Environment()
  try {
    environment.undefinedBehavior = 'chainable'
    environment.trimBlocks = options.trimBlocks
    environment.lstripBlocks = options.lstripBlocks
    environment.keepTrailingNewline = options.keepTrailingNewline
    environment.debug = true
    environment.fuel = fuel
    loaded.templates.forEach((template, number) => {
      const { path, alone, source } = template
      try {
        const key = JSON.stringify([source, number, sites.length, options, marked, contextNames, fractions, set])
        const translated = translatedOnce(key, sites, {
          source,
          template: number,
          options,
          alone,
          boundSomewhere: loaded.bound,
          marked,
          helpers: new Set(Object.keys(templateHelpers)),
          contextNames: new Set(contextNames),
          fractions,
          nameOf(reference) {
            const found = loaded.numberOf(
              reference.path,
              reference.how === 'import' || (alone && reference.how !== 'import with context'),
            )
            return found === undefined ? undefined : `t${found}`
          },
        })
        places[number] = translated.tags
        for (const { at, message, hint } of translated.refusals)
          problems.push({ file: request.shown(path), ...placeOf(source, at), message, ...(hint && { hint }) })
        if (translated.refusals.length === 0) environment.addTemplate(`t${number}`, translated.text)
      } catch (error) {
        problems.push(
          error instanceof TemplateSyntaxError
            ? syntaxProblem(request, template, error)
            : nativeProblem(request, loaded, places, error),
        )
      }
    })
    if (problems.length > 0) return { ok: false, problems: inOrder(problems) }
    const trouble = install(environment, request, sites)
    try {
      return { ok: true, text: environment.renderTemplate('t0', request.context) }
    } catch (error) {
      const found = trouble()
      if (found === undefined) return { ok: false, problems: [nativeProblem(request, loaded, places, error)] }
      const template = loaded.templates[found.site.template]
      if (!template) throw error
      return {
        ok: false,
        problems: [
          {
            file: request.shown(template.path),
            ...placeOf(template.source, found.site.at),
            message: found.message,
            ...(found.hint && { hint: found.hint }),
          },
        ],
      }
    }
  } finally {
    environment.free()
  }
}

/** Translations by all that they are made of: one template is rendered for every node of a cluster. */
const translations = new Map<string, { translated: Translated; sites: Site[] }>()

const TRANSLATIONS_KEPT = 50

function translatedOnce(key: string, sites: Site[], of: Omit<TranslateRequest, 'sites'>): Translated {
  let known = translations.get(key)
  if (known === undefined) {
    const before = sites.length
    const all = [...sites]
    const translated = translateTemplate({ ...of, sites: all })
    known = { translated, sites: all.slice(before) }
    if (translations.size >= TRANSLATIONS_KEPT) translations.clear()
    translations.set(key, known)
  }
  sites.push(...known.sites)
  return known.translated
}

const inOrder = (problems: Problem[]): Problem[] =>
  problems.sort((a, b) => a.file.localeCompare(b.file, 'en') || a.line - b.line || a.col - b.col)

type Found = { site: Site; message: string; hint?: string }

/** Gives the environment our functions; what is returned tells what the first of them that failed had against its call. */
function install(environment: Environment, request: RenderRequest, sites: readonly Site[]): () => Found | undefined {
  let found: Found | undefined
  const order = new MapOrder()
  order.learn(fromPlain(request.context))
  const tuples = new Set<string>()
  const shape = (value: TemplateValue) => JSON.stringify(toPlain(value))
  const world = {
    keysOf: order.keysOf,
    root: request.root,
    strict: request.options.undefined === 'strict',
    tuples: { add: (value: TemplateValue) => void tuples.add(shape(value)) },
  }
  // A symbol is what minijinja can not take: it ends the rendering with an error instead of the whole instance.
  const guarded = (id: number, call: () => unknown): unknown => {
    try {
      return call()
    } catch (error) {
      const site = sites[id]
      if (site)
        found ??=
          error instanceof TemplateTrouble
            ? { site, message: error.message, ...(error.hint && { hint: error.hint }) }
            : { site, message: 'this can not be rendered' }
      return Symbol('failed')
    }
  }
  const call = (id: number, name: string, args: unknown, named: unknown) =>
    guarded(id, () => {
      const positional = fromNative(args) as TemplateValue[]
      if (name === 'undefined') throw undefinedTrouble(sites[id], positional, Object.keys(request.context))
      const values = fromNative(named)
      const result = callJinja(name, positional, Object.fromEntries(values as [string, TemplateValue][]), world)
      // Maps that were made here have an order that no one else knows.
      if (name === 'dict' || name === 'dict()' || /:from/.test(name)) order.learn(result)
      return toPlain(result)
    })
  environment.addGlobal('__c', call)
  environment.addFilter('__f', (value: unknown, id: number, name: string, args: unknown, named: unknown) =>
    call(id, name, [value, ...(args as unknown[])], named),
  )
  environment.addFilter('__p', (text: string, id: number) =>
    guarded(id, () =>
      printed(text, order.keysOf, (value) => {
        if (tuples.size > 0 && holds(value, (part) => Array.isArray(part) && tuples.has(shape(part))))
          throw new TemplateTrouble(
            'Jinja2 prints pairs of a map in round brackets',
            'go through them by for, or `engine: jinja2` in operations.yaml',
          )
      }),
    ),
  )
  return () => found
}

const holds = (value: TemplateValue, fits: (part: TemplateValue) => boolean): boolean =>
  fits(value) ||
  (Array.isArray(value)
    ? value.some((item) => holds(item, fits))
    : value instanceof Map && [...value.values()].some((item) => holds(item, fits)))

/** What minijinja hands to a function of ours. */
function fromNative(value: unknown): TemplateValue {
  if (value === undefined || value === null) return null
  if (value === undefinedMark) return undefined
  if (Array.isArray(value)) return value.map(fromNative)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [String(key), fromNative(item)]))
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw new TemplateTrouble('this value can not be handed to a filter')
}

/** Names the first step of a path that is not there, by which steps are and by the values of those. */
function undefinedTrouble(
  site: Site | undefined,
  [there, steps]: readonly TemplateValue[],
  names: readonly string[],
): TemplateTrouble {
  const index = Array.isArray(there) ? there.indexOf(false) : -1
  const text = site?.prefixes[index] ?? site?.prefixes.at(-1) ?? site?.text ?? 'a value'
  const around = index > 0 && Array.isArray(steps) ? steps[index - 1] : undefined
  const known = index === 0 ? names : around instanceof Map ? [...around.keys()] : []
  const last = /[\w-]+(?=\W*$)/.exec(text)?.[0] ?? text
  // A word this short is near to anything.
  const meant = last.length < 3 ? undefined : nearest(last, known)
  const path =
    meant === undefined
      ? undefined
      : text.slice(0, text.lastIndexOf(last)) + meant + text.slice(text.lastIndexOf(last) + last.length)
  return new TemplateTrouble(`'${text}' is undefined`, path && path !== text ? `did you mean ${path}?` : undefined)
}

/** An error that minijinja itself raised: its kind and its line, and never what it says of values. */
function nativeProblem(request: RenderRequest, loaded: Loaded, places: readonly TagPlace[][], error: unknown): Problem {
  const lines = (error instanceof Error ? error.message : '').split('\n')
  const [head = ''] = lines
  // Errors of templates inside others come after the outer one; the last place is where it went wrong.
  const at = [...lines.join('\n').matchAll(/\(in t(\d+):(\d+)\)/g)].at(-1)
  const template = loaded.templates[Number(at?.[1] ?? 0)]
  const line = Number(at?.[2] ?? 1)
  const carets = lines.filter((text) => /^\s+i\s+\^+/.test(text)).at(-1)
  const column = carets === undefined ? 0 : carets.indexOf('^') - (carets.indexOf('i') + 2)
  const tags = (places[Number(at?.[1] ?? 0)] ?? []).filter((tag) => tag.line === line - 1)
  const tag = tags.find((each) => each.from <= column && column <= each.to) ?? tags[0]
  const place = tag && template ? placeOf(template.source, tag.at) : { line, col: 1 }
  // Of what went wrong inside an include minijinja tells only where.
  const included = loaded.templates[Number(/could not render include: error in "t(\d+)"/.exec(head)?.[1] ?? -1)]
  if (included && template) {
    const endless = leadsToItself(loaded, included.path)
    const message = endless
      ? 'the template calls itself without end'
      : `something in '${included.path}' can not be rendered`
    return { file: request.shown(template.path), ...place, message }
  }
  const inner = lines.filter((text) => /\(in t\d+:\d+\)/.test(text)).at(-1) ?? head
  return {
    file: request.shown(template?.path ?? request.path),
    ...place,
    ...wording(inner.replace(/^.*?caused by:\s*/, '')),
  }
}

/** Whether a template leads back to itself by includes. */
function leadsToItself({ templates }: Loaded, path: string): boolean {
  const seen = new Set<string>()
  const walk = (from: string): boolean => {
    const source = templates.find((template) => template.path === from)?.source
    if (source === undefined || seen.has(from)) return false
    seen.add(from)
    return referencesOf(lexTemplate(source)).some((reference) => reference.path === path || walk(reference.path))
  }
  return walk(path)
}

function wording(message: string): { message: string; hint?: string } {
  const operator = /tried to use (\S+) operator on unsupported types ([\w ]+?) and ([\w ]+?)(?= \(|$)/.exec(message)
  if (operator) return { message: `${operator[2]} and ${operator[3]} have no '${operator[1]}'` }
  if (/ran out of fuel/.test(message))
    return { message: 'the template takes too long', hint: 'a loop in it may not end' }
  if (/recursion limit/.test(message)) return { message: 'the template calls itself without end' }
  if (/unknown function|not callable|object is not/.test(message))
    return { message: 'what is called here is no function' }
  if (/undefined value/.test(message)) return { message: 'a value is undefined here' }
  if (/range has too many/.test(message)) return { message: 'the range is too large' }
  if (/too many arguments/.test(message)) return { message: 'too many arguments' }
  if (/cannot unpack/.test(message)) return { message: 'the items can not be unpacked into these names' }
  if (/unable to calculate .* (\/\/|%) 0/.test(message)) return { message: 'division by zero' }
  if (/unable to calculate/.test(message)) return { message: 'this has no whole result' }
  if (/divi/.test(message)) return { message: 'division by zero' }
  const [kind = ''] = message.split(':')
  return { message: /^[a-z ]{3,40}$/.test(kind.trim()) ? `minijinja: ${kind.trim()}` : 'this can not be rendered' }
}
