/**
 * Words a template for minijinja so that it renders what Jinja2 would, and refuses what can not be worded so.
 *
 * Why minijinja is not given the template as it stands: it prints `true` for `True`, sorts maps, knows only a part of
 * the filters, lets a missing value through comparisons and filters even when it is strict, and leaks variables out of
 * includes, all without a word. Here an expression is read by the grammar of Jinja2's own parser; what both understand
 * alike stays, and everything else becomes a call of ours (`__c`), which also knows its place in the template.
 * Tags stay on their lines, and the whitespace between them is minijinja's business.
 */

import type { TemplateOptions } from '../../../workflows/model/cluster.ts'
import { nearest } from '../../../workflows/model/nearest.ts'
import { jinjaFilters, knownToJinja, stringMethods } from './jinja-signatures.ts'
import { lexTemplate, type Segment, TemplateSyntaxError, type Token } from './lex-template.ts'
import { markerOf } from './output-origin.ts'
import { undefinedMark } from './template-value.ts'

/** A place that our functions are called from. `at` is the offset of what is named by `text`. */
export type Site = { template: number; at: number; text: string; prefixes: string[] }

export type Refusal = { at: number; message: string; hint?: string }

/** What an `include`, `import` or `extends` names. */
export type Reference = { path: string; at: number; how: 'include' | 'import' | 'import with context' | 'extends' }

export type TranslateRequest = {
  source: string
  /** number of this template, for the sites and the markers */
  template: number
  options: TemplateOptions
  /** the name that minijinja knows the template of a reference by; undefined when it is absent and may be */
  nameOf(reference: Reference, mayBeAbsent: boolean): string | undefined
  /** imported without its context: it knows only its own names */
  alone: boolean
  /** every name that some template of the set binds */
  boundSomewhere: ReadonlySet<string>
  marked: boolean
  /** gets a new site for every call of ours; the index is its id */
  sites: Site[]
  helpers: ReadonlySet<string>
  contextNames: ReadonlySet<string>
  /** the context has fractions, so that sums may be whole floats */
  fractions: boolean
}

/** Where a tag stands in the wording for minijinja, by line and columns from 0, and where it is in the template. */
export type TagPlace = { line: number; from: number; to: number; at: number }

export type Translated = { text: string; tags: TagPlace[]; refusals: Refusal[] }

const otherEngine = '`engine: jinja2` in operations.yaml renders it'

type Kind =
  | 'plain'
  /** read once in Python, and without a length */
  | 'generator'
  /** what keys(), values(), items() and range() give: no list, but it can be read again */
  | 'view'
  | 'tuple'
  /** whole floats are printed with `.0`, which does not survive a call of ours */
  | 'float'
  /** an if without else, which may be nothing even where undefined is an error */
  | 'soft'

type Expr = {
  /** in minijinja's words, without the check that it is there */
  raw: string
  kind: Kind
  at: number
  end: number
  /** raw and template text of what is looked into, outermost last; only where the whole may be missing */
  chain?: { raw: string; end: number }[]
  /** of a literal */
  string?: string
  name?: string
}

type Argument = { name?: string; value: Expr }

/** Names that the template binds anywhere in it: by set, for, macro, call, with, import. Order and scope do not count. */
export function boundNames(segments: readonly Segment[]): Set<string> {
  const bound = new Set<string>()
  for (const segment of segments) {
    if (segment.kind !== 'block') continue
    const tokens = segment.tokens.slice(0, -1)
    const [first, ...rest] = tokens
    const names = rest.filter(({ kind }) => kind === 'name').map(({ text }) => text)
    const until = (stop: string) => names.slice(0, names.includes(stop) ? names.indexOf(stop) : undefined)
    const before = (stop: string) => {
      const end = rest.findIndex(({ text }) => text === stop)
      return rest.slice(0, end < 0 ? undefined : end).filter(({ kind }) => kind === 'name')
    }
    if (first?.text === 'for') for (const name of until('in')) bound.add(name)
    if (first?.text === 'macro') for (const name of names) bound.add(name)
    if (first?.text === 'set') for (const { text } of before('=').slice(0, 2)) bound.add(text)
    if (first?.text === 'call') for (const { text } of before(')')) bound.add(text)
    if (first?.text === 'with')
      rest.forEach((token, index) => {
        if (token.kind === 'name' && rest[index + 1]?.text === '=') bound.add(token.text)
      })
    if (first?.text === 'import') bound.add(names[names.lastIndexOf('as') + 1] ?? '')
    if (first?.text === 'from') for (const name of names.slice(names.indexOf('import') + 1)) bound.add(name)
  }
  return bound
}

/** What a template includes, imports and extends by literal names, in order. */
export function referencesOf(segments: readonly Segment[]): Reference[] {
  const found: Reference[] = []
  for (const segment of segments) {
    if (segment.kind !== 'block') continue
    const { tokens } = segment
    const [first, ...rest] = tokens
    if (!/^(include|import|from|extends)$/.test(first?.text ?? '')) continue
    for (const [index, token] of rest.entries()) {
      // In a name that is worked out no part is a template.
      const alone =
        /^(|\[|,)$/.test(rest[index - 1]?.text ?? '') &&
        /^([-+]?%\}|ignore|with|without|as|import|,|\])$/.test(rest[index + 1]?.text ?? '')
      if (token.kind !== 'string' || !alone) continue
      const how = first?.text === 'include' || first?.text === 'extends' ? first.text : importKind(tokens)
      found.push({ path: stringValue(token.text), at: token.at, how })
    }
  }
  return found
}

const importKind = (tokens: readonly Token[]): 'import' | 'import with context' =>
  tokens.at(-2)?.text === 'context' && tokens.at(-3)?.text === 'with' ? 'import with context' : 'import'

/** The wording of one template. Throws a TemplateSyntaxError for what no engine could read. */
export function translateTemplate(request: TranslateRequest): Translated {
  return new Translation(request).run()
}

const closers: Record<string, string> = {
  for: 'else or endfor',
  if: 'elif, else or endif',
  macro: 'endmacro',
  call: 'endcall',
  filter: 'endfilter',
  set: 'endset',
  with: 'endwith',
  block: 'endblock',
}

const dictMethods = ['items', 'keys', 'values', 'get', 'pop', 'update', 'copy', 'clear', 'setdefault', 'popitem']
const generators = "Jinja2 gives a generator here, which can be read only once; add '| list'"

class Translation {
  readonly request: TranslateRequest
  readonly refusals: Refusal[] = []
  readonly bound: Set<string>
  readonly segments: Segment[]
  readonly modules = new Set<string>()
  /** the tags that are not closed yet, innermost last */
  readonly open: { name: string; at: number; seen: string[] }[] = []
  tokens: Token[] = []
  position = 0

  constructor(request: TranslateRequest) {
    this.request = request
    this.segments = lexTemplate(request.source)
    this.bound = boundNames(this.segments)
    for (const segment of this.segments) {
      if (segment.kind !== 'block' || segment.tokens[0]?.text !== 'import') continue
      const as = segment.tokens.findIndex(({ text }) => text === 'as')
      this.modules.add(segment.tokens[as + 1]?.text ?? '')
    }
  }

  run(): Translated {
    let text = ''
    let lineStart = 0
    let line = 0
    const tags: TagPlace[] = []
    const { open } = this
    const add = (more: string) => {
      text += more
      for (const newline of more.matchAll(/\n/g)) {
        line += 1
        lineStart = text.length - more.length + newline.index + 1
      }
    }
    for (const segment of this.segments) {
      const mark = (body: string, at: number) => (this.request.marked ? this.#marked(body, at) : body)
      if (segment.kind === 'text') add(mark(segment.text, segment.at))
      else if (segment.kind === 'comment') add(segment.text)
      else if (segment.kind === 'raw') {
        // Jinja's trim_blocks leaves the newline after raw alone.
        const opening = /-%\}$/.test(segment.open) ? segment.open : segment.open.replace(/\s*%\}$/, ' +%}')
        add(opening + mark(segment.body, segment.at + segment.open.length) + segment.close)
      } else {
        this.tokens = segment.tokens
        this.position = 0
        const inner = segment.kind === 'output' ? this.#output() : this.#statement(segment.at, open)
        if (segment.kind === 'output' && this.request.marked && this.#opensLine(segment))
          add(markerOf(this.request.template, this.#lineOf(segment.at)))
        const missing = lineCount(segment.text) - lineCount(inner)
        const from = text.length - lineStart
        const startLine = line
        add(`${segment.open} ${inner}${'\n'.repeat(Math.max(0, missing))} ${segment.close}`)
        tags.push({
          line: startLine,
          from,
          to: line === startLine ? text.length - lineStart : Number.POSITIVE_INFINITY,
          at: segment.tokens[0]?.at ?? segment.at,
        })
      }
    }
    const unclosed = open.at(-1)
    if (unclosed)
      throw new TemplateSyntaxError(
        unclosed.at,
        `unexpected end of template; expected ${closers[unclosed.name]} to close '${unclosed.name}'`,
      )
    return { text, tags, refusals: this.refusals }
  }

  // --- whitespace and markers

  #lineOf(at: number): number {
    return lineCount(this.request.source.slice(0, at)) + 1
  }

  /** Only blanks before it on its line, and no sign that would eat them. */
  #opensLine(segment: Segment & { kind: 'output' | 'block' }): boolean {
    if (segment.open.endsWith('-')) return false
    return /(^|\n)[ \t]*$/.test(this.request.source.slice(0, segment.at))
  }

  #marked(body: string, at: number): string {
    const firstLine = this.#lineOf(at)
    return body
      .split('\n')
      .map((text, index) => {
        const blanks = /^\s*/.exec(text)?.[0].length ?? 0
        if (blanks === text.length) return text
        return text.slice(0, blanks) + markerOf(this.request.template, firstLine + index) + text.slice(blanks)
      })
      .join('\n')
  }

  // --- tokens

  #peek(): Token {
    return this.tokens[this.position] ?? { kind: 'end', at: this.request.source.length, text: '' }
  }

  #next(): Token {
    const token = this.#peek()
    this.position += 1
    return token
  }

  #is(...texts: string[]): boolean {
    return (this.#peek().kind === 'name' || this.#peek().kind === 'operator') && texts.includes(this.#peek().text)
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false
    this.position += 1
    return true
  }

  #expect(text: string): Token {
    if (this.#is(text)) return this.#next()
    throw this.#unexpected(`'${text}'`)
  }

  #name(): Token {
    if (this.#peek().kind !== 'name') throw this.#unexpected('a name')
    return this.#next()
  }

  #end(): void {
    if (this.#peek().kind !== 'end') throw this.#unexpected('the end of the tag')
  }

  #unexpected(wanted: string): TemplateSyntaxError {
    const { kind, at, text } = this.#peek()
    return new TemplateSyntaxError(
      at,
      `unexpected ${kind === 'end' ? 'end of the tag' : `'${text}'`}; expected ${wanted}`,
    )
  }

  /** Without a hint the way out is the other engine; where that would not help either it is ''. */
  #refuse(at: number, message: string, hint = otherEngine): void {
    if (!this.refusals.some((refusal) => refusal.at === at && refusal.message === message))
      this.refusals.push({ at, message, ...(hint && { hint }) })
  }

  // --- tags

  #output(): string {
    const expr = this.#tuple()
    this.#end()
    return this.#printed(expr)
  }

  #printed(expr: Expr): string {
    if (expr.string !== undefined) return expr.raw
    const id = this.#site(expr.at, expr.end)
    return `(${this.#value(expr, 'soft', 'float')})|default('')|tojson|__p(${id})`
  }

  #statement(at: number, open: { name: string; at: number; seen: string[] }[]): string {
    const word = this.#name()
    const within = open.at(-1)
    const start = (name: string) => open.push({ name, at, seen: [] })
    const branch = (...of: string[]) => {
      if (!within || !of.includes(within.name) || within.seen.includes('else'))
        throw new TemplateSyntaxError(word.at, `'${word.text}' belongs to no open tag${openedAs(within)}`)
      within.seen.push(word.text)
    }
    switch (word.text) {
      case 'for':
        start('for')
        return this.#for()
      case 'if':
        start('if')
        return `if ${this.#condition()}`
      case 'elif':
        branch('if')
        return `elif ${this.#condition()}`
      case 'else':
        branch('if', 'for')
        this.#end()
        return 'else'
      case 'set':
        return this.#set(() => start('set'))
      case 'macro':
        start('macro')
        return this.#macro()
      case 'call':
        start('call')
        return this.#call()
      case 'filter':
        start('filter')
        return `filter ${this.#filterChain()} %}{% with`
      case 'with':
        start('with')
        return this.#with()
      case 'block': {
        const around = open.find(({ name }) => name !== 'if' && name !== 'block')
        if (around) this.#refuse(word.at, `a block does not see the variables of a '${around.name}' in Jinja2`)
        start('block')
        const name = this.#name().text
        if (this.#is('scoped', 'required')) {
          this.#refuse(this.#peek().at, `'${this.#peek().text}' blocks are not known to minijinja`)
          while (this.#peek().kind !== 'end') this.#next()
        }
        this.#end()
        return `block ${name}`
      }
      case 'extends':
      case 'include':
      case 'import':
      case 'from':
        return this.#reference(word)
      case 'do':
      case 'break':
      case 'continue':
      case 'autoescape':
      case 'endautoescape':
      case 'trans':
        this.#refuse(word.at, `'${word.text}' is not rendered alike by both engines`, hintForTag(word.text))
        while (this.#peek().kind !== 'end') this.#next()
        return 'set __refused = 1'
    }
    const opener = word.text.startsWith('end') ? word.text.slice(3) : ''
    if (!(opener in closers)) {
      const meant = nearest(word.text, [
        ...Object.keys(closers),
        ...Object.keys(closers).map((name) => `end${name}`),
        'elif',
        'else',
        'include',
        'import',
        'from',
        'extends',
        'raw',
      ])
      throw new TemplateSyntaxError(word.at, `no tag is called '${word.text}'`, meant && `did you mean '${meant}'?`)
    }
    if (within?.name !== opener)
      throw new TemplateSyntaxError(word.at, `'${word.text}' belongs to no open tag${openedAs(within)}`)
    open.pop()
    if (opener === 'block' && this.#peek().kind === 'name') this.#next()
    this.#end()
    return opener === 'set' || opener === 'filter' ? `endwith %}{% ${word.text}` : word.text
  }

  #condition(): string {
    const expr = this.#tuple()
    this.#end()
    return this.#value(expr, 'soft', 'float')
  }

  #for(): string {
    const targets = this.#targets()
    this.#expect('in')
    const list = this.#tuple(() => this.#or())
    let filter = ''
    if (this.#skip('if')) filter = ` if ${this.#value(this.#expression())}`
    if (this.#is('recursive')) {
      this.#refuse(
        this.#peek().at,
        "'recursive' loops are not rendered alike by both engines",
        'write a macro that calls itself',
      )
      this.#next()
    }
    this.#end()
    return `for ${targets} in ${this.#iterated(list)}${filter}`
  }

  #targets(): string {
    const names: string[] = []
    do {
      if (this.#skip('(')) {
        names.push(`(${this.#targets()})`)
        this.#expect(')')
      } else if (this.#is('in', ')')) break
      else names.push(this.#name().text)
    } while (this.#skip(','))
    return names.join(', ')
  }

  #set(startBlock: () => void): string {
    const target = this.#name()
    let text = target.text
    if (this.#skip('.')) text += `.${this.#name().text}`
    if (this.#is(',')) {
      this.#refuse(target.at, "'set' of several names at once is not known to minijinja", "write one 'set' for each")
      while (!this.#is('=') && this.#peek().kind !== 'end') this.#next()
    }
    if (this.#skip('=')) {
      const expr = this.#tuple()
      this.#end()
      return `set ${text} = ${this.#value(expr)}`
    }
    startBlock()
    // minijinja keeps what is set inside; Jinja2 has a scope there.
    if (this.#skip('|')) return `set ${text} | ${this.#filterChain()} %}{% with`
    this.#end()
    return `set ${text} %}{% with`
  }

  #macro(): string {
    const name = this.#name().text
    return `macro ${name}(${this.#parameters()})`
  }

  #parameters(): string {
    const parameters: string[] = []
    this.#expect('(')
    while (!this.#is(')')) {
      const name = this.#name().text
      parameters.push(this.#skip('=') ? `${name}=${this.#value(this.#expression())}` : name)
      if (!this.#skip(',')) break
    }
    this.#expect(')')
    return parameters.join(', ')
  }

  #call(): string {
    const parameters = this.#is('(') ? `(${this.#parameters()})` : ''
    const expr = this.#unary()
    this.#end()
    return `call${parameters} ${expr.raw}`
  }

  #with(): string {
    const own = new Set<string>()
    const bindings: string[] = []
    while (this.#peek().kind !== 'end') {
      const name = this.#name()
      this.#expect('=')
      const from = this.position
      const value = this.#value(this.#expression())
      const used = this.tokens.slice(from, this.position).find((token) => token.kind === 'name' && own.has(token.text))
      if (used)
        this.#refuse(
          used.at,
          `'${used.text}' of the same 'with' is not seen here by Jinja2`,
          "write a 'with' inside the other",
        )
      own.add(name.text)
      bindings.push(`${name.text} = ${value}`)
      if (!this.#skip(',')) break
    }
    this.#end()
    return `with ${bindings.join(', ')}`
  }

  #filterChain(): string {
    const filters: string[] = []
    do {
      const name = this.#name()
      const args = this.#is('(') ? this.#arguments() : []
      filters.push(`__f(${this.#call_(name, `filter:${this.#filterName(name)}`, [], args, 'filter')})`)
    } while (this.#skip('|'))
    this.#end()
    return filters.join('|')
  }

  #reference(word: Token): string {
    const list = word.text === 'include' && this.#skip('[')
    const names: Token[] = []
    do {
      if (this.#peek().kind !== 'string') {
        this.#refuse(
          this.#peek().at,
          `'${word.text}' of a name that is worked out can not be checked before it is rendered`,
        )
        while (this.#peek().kind !== 'end') this.#next()
        return 'set __refused = 1'
      }
      names.push(this.#next())
      if (this.#is('~', '+', 'if', '|', '%')) {
        this.position -= 1
        this.#refuse(
          this.#peek().at,
          `'${word.text}' of a name that is worked out can not be checked before it is rendered`,
        )
        while (this.#peek().kind !== 'end') this.#next()
        return 'set __refused = 1'
      }
    } while (list && this.#skip(',') && !this.#is(']'))
    if (list) this.#expect(']')
    const ignoring = this.#is('ignore') && this.tokens[this.position + 1]?.text === 'missing'
    if (word.text === 'include' && ignoring) this.position += 2
    const how = word.text === 'include' || word.text === 'extends' ? word.text : importKind(this.tokens)
    const mayBeAbsent = word.text === 'include' && (ignoring || list)
    const found = names
      .map((name) => this.request.nameOf({ path: stringValue(name.text), at: name.at, how }, mayBeAbsent))
      .find((name) => name !== undefined)
    if (word.text === 'extends') {
      this.#end()
      return `extends ${JSON.stringify(found ?? '')}`
    }
    if (word.text === 'include') {
      if (this.#is('without')) this.#refuse(this.#peek().at, "'include' without context is not known to minijinja")
      if (this.#is('with', 'without')) this.position += 2
      this.#end()
      // minijinja keeps what an included template sets, so it gets a scope of its own.
      return found === undefined ? 'if false %}{% endif' : `with %}{% include ${JSON.stringify(found)} %}{% endwith`
    }
    let rest = ''
    if (word.text === 'import') {
      this.#expect('as')
      rest = ` as ${this.#name().text}`
    } else {
      this.#expect('import')
      const imported: string[] = []
      while (
        this.#peek().kind === 'name' &&
        !(this.#is('with', 'without') && this.tokens[this.position + 1]?.text === 'context')
      ) {
        const name = this.#name().text
        imported.push(this.#skip('as') ? `${name} as ${this.#name().text}` : name)
        if (!this.#skip(',')) break
      }
      rest = ` import ${imported.join(', ')}`
    }
    if (this.#is('with', 'without')) {
      this.#next()
      this.#expect('context')
    }
    this.#end()
    return `${word.text} ${JSON.stringify(found ?? '')}${rest}`
  }

  // --- expressions, by the precedence of jinja2/parser.py

  #tuple(item: () => Expr = () => this.#expression()): Expr {
    const first = item()
    if (!this.#is(',')) return first
    const items = [first]
    while (this.#skip(',')) {
      if (this.#peek().kind === 'end' || this.#is(')', 'if')) break
      items.push(item())
    }
    return {
      raw: `[${items.map((each) => this.#value(each)).join(', ')}]`,
      kind: 'tuple',
      at: first.at,
      end: items.at(-1)?.end ?? first.end,
    }
  }

  #expression(): Expr {
    let expr = this.#or()
    while (this.#skip('if')) {
      const condition = this.#value(this.#or(), 'soft', 'float')
      const float = expr.kind === 'float'
      if (this.#skip('else')) {
        const other = this.#expression()
        const raw = `(${this.#value(expr, 'float')} if ${condition} else ${this.#value(other, 'float', 'soft')})`
        expr = {
          raw,
          kind: float || other.kind === 'float' ? 'float' : other.kind === 'soft' ? 'soft' : 'plain',
          at: expr.at,
          end: other.end,
        }
      } else {
        if (float) this.#refuse(expr.at, 'a float that may be missing is not printed alike by both engines')
        expr = { raw: `(${this.#value(expr)} if ${condition})`, kind: 'soft', at: expr.at, end: this.#before() }
      }
    }
    return expr
  }

  #before(): number {
    const token = this.tokens[this.position - 1]
    return token ? token.at + token.text.length : 0
  }

  #or(): Expr {
    return this.#logical('or', () => this.#logical('and', () => this.#not()))
  }

  #logical(operator: string, operand: () => Expr): Expr {
    let left = operand()
    while (this.#skip(operator)) {
      const right = operand()
      left = this.#plain(`(${this.#value(left)} ${operator} ${this.#value(right)})`, left, right)
    }
    return left
  }

  #not(): Expr {
    const { at } = this.#peek()
    if (!this.#is('not')) return this.#compare()
    this.#next()
    const operand = this.#not()
    return { raw: `(not ${this.#value(operand, 'soft', 'float')})`, kind: 'plain', at, end: operand.end }
  }

  #compare(): Expr {
    let left = this.#sum()
    const parts: string[] = []
    const { at } = left
    let { end } = left
    for (;;) {
      let operator = ''
      if (this.#is('==', '!=', '<', '>', '<=', '>=', 'in')) operator = this.#next().text
      else if (this.#is('not') && this.tokens[this.position + 1]?.text === 'in') {
        this.position += 2
        operator = 'not in'
      } else break
      const right = this.#sum()
      end = right.end
      if (operator === '==' || operator === '!=')
        parts.push(`(${this.#value(left, 'float')} ${operator} ${this.#value(right, 'float')})`)
      else {
        const others = /in$/.test(operator) ? [this.#iterable(right)] : [this.#handed(right, 'float')]
        parts.push(
          `__c(${this.#site(at, end)}, ${JSON.stringify(`op:${operator}`)}, [${this.#handed(left, 'float')}, ${others}], [])`,
        )
      }
      left = right
    }
    return parts.length === 0
      ? left
      : { raw: parts.length > 1 ? `(${parts.join(' and ')})` : (parts[0] ?? ''), kind: 'plain', at, end }
  }

  #sum(): Expr {
    let left = this.#concat()
    while (this.#is('+', '-')) {
      const operator = this.#next().text
      left = this.#arithmetic(left, operator, this.#concat())
    }
    return left
  }

  #concat(): Expr {
    const operands = [this.#product()]
    while (this.#skip('~')) operands.push(this.#product())
    const [first] = operands
    if (!first || operands.length === 1) return first as Expr
    const last = operands.at(-1) ?? first
    return this.#plain(`(${operands.map((operand) => `(${this.#printed(operand)})`).join(' ~ ')})`, first, last)
  }

  #product(): Expr {
    let left = this.#power()
    while (this.#is('*', '/', '//', '%')) {
      const { text: operator, at } = this.#next()
      const right = this.#power()
      if (operator === '%') {
        // A tuple is what Python's formatting takes; any other list would be one value.
        const value = right.kind === 'tuple' ? right.raw : this.#handed(right)
        const name = right.kind === 'tuple' ? 'op:% tuple' : 'op:%'
        left = this.#plain(
          `__c(${this.#site(at, right.end)}, ${JSON.stringify(name)}, [${this.#handed(left)}, ${value}], [])`,
          left,
          right,
        )
      } else if (operator === '/')
        left = {
          ...this.#plain(
            `(__c(${this.#site(left.at, right.end)}, "op:/", [${this.#handed(left, 'float')}, ${this.#handed(right, 'float')}], [])|float)`,
            left,
            right,
          ),
          kind: 'float',
        }
      else left = this.#arithmetic(left, operator, right)
    }
    return left
  }

  #power(): Expr {
    let left = this.#unary()
    while (this.#is('**')) {
      this.#next()
      left = this.#arithmetic(left, '**', this.#unary())
    }
    return left
  }

  #arithmetic(left: Expr, operator: string, right: Expr): Expr {
    const float = left.kind === 'float' || right.kind === 'float' || this.#mayBeFraction(left, right)
    if (float) {
      const raw = `(${this.#value(left, 'float')} ${operator} ${this.#value(right, 'float')})`
      return { ...this.#plain(raw, left, right), kind: 'float' }
    }
    const operands = `[${this.#handed(left)}, ${this.#handed(right)}]`
    const id = this.#site(left.at, right.end)
    return this.#plain(`__c(${id}, ${JSON.stringify(`op:${operator}`)}, ${operands}, [])`, left, right)
  }

  /** A sum of two fractions may be whole, and a text is no number. */
  #mayBeFraction(left: Expr, right: Expr): boolean {
    return this.request.fractions && left.string === undefined && right.string === undefined
  }

  #plain(raw: string, left: Expr, right: Expr): Expr {
    return { raw, kind: 'plain', at: left.at, end: right.end }
  }

  #unary(withFilter = true): Expr {
    let expr: Expr
    const { at } = this.#peek()
    if (this.#is('-', '+')) {
      const operator = this.#next().text
      const operand = this.#unary(false)
      const value = this.#value(operand, 'float')
      expr = {
        raw: operator === '-' ? `(-${value})` : `(0 + ${value})`,
        kind: operand.kind === 'float' ? 'float' : 'plain',
        at,
        end: operand.end,
      }
    } else expr = this.#primary()
    expr = this.#postfix(expr)
    return withFilter ? this.#filters(expr) : expr
  }

  #primary(): Expr {
    const token = this.#next()
    const { at, text } = token
    const end = at + text.length
    const literal = (raw: string): Expr => ({ raw, kind: 'plain', at, end })
    switch (token.kind) {
      case 'name': {
        if (/^(true|True|false|False|none|None)$/.test(text)) return literal(text.toLowerCase())
        if (text === 'loop' && !this.open.some(({ name }) => name === 'for') && !this.bound.has('loop'))
          this.#refuse(at, "'loop' is undefined outside of a 'for' of the same template", '')
        if (!/^\w+$/.test(text)) this.#refuse(at, `minijinja knows no names like '${text}'`)
        return { raw: text, kind: 'plain', at, end, name: text, chain: [{ raw: text, end }] }
      }
      case 'string': {
        let value = stringValue(text)
        while (this.#peek().kind === 'string') value += stringValue(this.#next().text)
        return { ...literal(JSON.stringify(value)), end: this.#before(), string: value }
      }
      case 'integer': {
        const value = Number(text.replaceAll('_', ''))
        if (!Number.isSafeInteger(value)) this.#refuse(at, 'a number this large is not kept exactly')
        return literal(String(value))
      }
      case 'float':
        return { ...literal(text.replaceAll('_', '')), kind: 'float' }
      case 'operator':
        if (text === '(') {
          if (this.#skip(')')) return { raw: '[]', kind: 'tuple', at, end: end + 1 }
          const inner = this.#tuple()
          this.#expect(')')
          const { name: _, chain, ...rest } = inner
          return { ...rest, ...(chain && { chain }), ...(inner.name && { name: inner.name }) }
        }
        if (text === '[') {
          const items: string[] = []
          while (!this.#is(']')) {
            items.push(this.#handed(this.#expression()))
            if (!this.#skip(',')) break
          }
          this.#expect(']')
          return { raw: `[${items.join(', ')}]`, kind: 'plain', at, end: this.#before() }
        }
        if (text === '{') {
          const pairs: string[] = []
          while (!this.#is('}')) {
            const key = this.#handed(this.#expression())
            this.#expect(':')
            pairs.push(`[${key}, ${this.#handed(this.#expression())}]`)
            if (!this.#skip(',')) break
          }
          this.#expect('}')
          const close = this.#before()
          return {
            raw: `__c(${this.#site(at, close)}, "dict", [${pairs.join(', ')}], [])`,
            kind: 'plain',
            at,
            end: close,
          }
        }
    }
    this.position -= 1
    throw this.#unexpected('an expression')
  }

  #postfix(start: Expr): Expr {
    let expr = start
    for (;;) {
      if (this.#skip('.')) {
        const token = this.#next()
        if (token.kind === 'integer') expr = this.#looked(expr, `[${token.text}]`)
        else if (token.kind !== 'name') {
          this.position -= 1
          throw this.#unexpected('a name')
        } else if (this.#is('(')) expr = this.#method(expr, token)
        else {
          if (dictMethods.includes(token.text))
            this.#refuse(
              token.at,
              `'.${token.text}' is a method in Jinja2`,
              `write ['${token.text}'] for the key, or .${token.text}()`,
            )
          expr = this.#looked(expr, `.${token.text}`)
        }
      } else if (this.#skip('[')) expr = this.#subscript(expr)
      else if (this.#is('(')) expr = this.#called(expr)
      else return expr
    }
  }

  /** One more step into a value: the steps before it are kept, to name the one that is missing. */
  #looked(from: Expr, step: string): Expr {
    const base = from.chain ? from.raw : `(${this.#value(from, 'soft')})`
    const steps = from.chain ?? [{ raw: base, end: from.end }]
    const end = this.#before()
    return { raw: base + step, kind: 'plain', at: from.at, end, chain: [...steps, { raw: base + step, end }] }
  }

  #subscript(from: Expr): Expr {
    const part = () => (this.#is(':', ']') ? '' : this.#value(this.#expression()))
    const parts = [part()]
    while (this.#skip(':')) parts.push(part())
    this.#expect(']')
    if (parts.length === 1) return this.#looked(from, `[${parts[0]}]`)
    return { raw: `(${this.#value(from)})[${parts.join(':')}]`, kind: 'plain', at: from.at, end: this.#before() }
  }

  #arguments(): Argument[] {
    const args: Argument[] = []
    this.#expect('(')
    while (!this.#is(')')) {
      if (this.#is('*', '**'))
        this.#refuse(this.#peek().at, 'arguments from a list or a map are not known to minijinja')
      if (this.#is('*', '**')) this.#next()
      const named = this.#peek().kind === 'name' && this.tokens[this.position + 1]?.text === '='
      const name = named ? this.#next().text : undefined
      if (named) this.#next()
      args.push({ ...(name !== undefined && { name }), value: this.#expression() })
      if (!this.#skip(',')) break
    }
    this.#expect(')')
    return args
  }

  /** The arguments of a call of ours: site, name, positional values, named values. */
  #call_(
    where: { at: number },
    name: string,
    first: readonly string[],
    args: readonly Argument[],
    what: string,
  ): string {
    for (const { name: key, value } of args)
      if (value.kind === 'generator') this.#refuse(value.at, generators, `write (… | list)${key ? '' : ''}`)
    const given = (argument: Argument) =>
      argument.value.kind === 'tuple' || argument.value.kind === 'view'
        ? argument.value.raw
        : this.#handed(argument.value, ...(what === 'filter:default' ? (['soft'] as const) : []))
    const positional = [...first, ...args.filter((arg) => arg.name === undefined).map(given)]
    const named = args
      .filter((arg) => arg.name !== undefined)
      .map((arg) => `[${JSON.stringify(arg.name)}, ${given(arg)}]`)
    return `${this.#site(where.at, this.#before())}, ${JSON.stringify(name)}, [${positional.join(', ')}], [${named.join(', ')}]`
  }

  #nativeArguments(args: readonly Argument[]): string {
    return args.map(({ name, value }) => (name === undefined ? '' : `${name}=`) + this.#value(value)).join(', ')
  }

  #called(callee: Expr): Expr {
    const args = this.#arguments()
    const { at } = callee
    const end = this.#before()
    const { name } = callee
    const native = (kind: Kind = 'plain'): Expr => ({
      raw: `${callee.raw}(${this.#nativeArguments(args)})`,
      kind,
      at,
      end,
    })
    if (name === undefined) {
      this.#refuse(at, 'this can not be called')
      return native()
    }
    if (this.bound.has(name) || name === 'caller' || name === 'super') return native()
    if (name === 'range') return { ...native('view'), raw: `range(${this.#nativeArguments(args)})` }
    if (name === 'namespace') return native()
    if (name === 'dict' || this.request.helpers.has(name))
      return {
        raw: `__c(${this.#call_({ at }, name === 'dict' ? 'dict()' : `helper:${name}`, [], args, 'helper')})`,
        kind: 'plain',
        at,
        end,
      }
    if (this.request.boundSomewhere.has(name)) return native()
    if (['cycler', 'joiner', 'lipsum', 'gettext', 'ngettext', '_'].includes(name))
      this.#refuse(at, `'${name}' is not rendered alike by both engines`)
    else {
      const meant = nearest(name, [...this.request.helpers, ...this.bound, 'range', 'dict', 'namespace'])
      this.#refuse(at, `no function is called '${name}'`, meant ? `did you mean ${meant}?` : '')
    }
    return native()
  }

  #method(from: Expr, name: Token): Expr {
    const args = this.#arguments()
    const end = this.#before()
    const { at } = from
    const base = from.name
    const native = base !== undefined && (base === 'loop' || base === 'self' || this.modules.has(base))
    if (native) return { raw: `${from.raw}.${name.text}(${this.#nativeArguments(args)})`, kind: 'plain', at, end }
    if (!stringMethods.includes(name.text)) {
      const meant = nearest(name.text, stringMethods)
      this.#refuse(
        name.at,
        `the method '${name.text}' is not known here`,
        meant && meant !== name.text ? `did you mean ${meant}?` : otherEngine,
      )
    }
    const raw = `__c(${this.#call_({ at: name.at }, `method:${name.text}`, [this.#handed(from)], args, 'method')})`
    return { raw, kind: /^(items|keys|values)$/.test(name.text) ? 'view' : 'plain', at, end }
  }

  #filters(start: Expr): Expr {
    let expr = start
    for (;;) {
      if (this.#skip('|')) {
        const name = this.#name()
        const args = this.#is('(') ? this.#arguments() : []
        expr = this.#filter(expr, name, args)
      } else if (this.#is('is')) {
        this.#next()
        expr = this.#test(expr)
      } else return expr
    }
  }

  #filterName(token: Token): string {
    const { text: name, at } = token
    if (jinjaFilters[name] || this.request.helpers.has(name)) return name
    if (knownToJinja.includes(name)) this.#refuse(at, `the filter '${name}' is not rendered alike by both engines`)
    else {
      const meant = nearest(name, [...Object.keys(jinjaFilters), ...this.request.helpers, ...knownToJinja])
      this.#refuse(at, `no filter is called '${name}'`, meant ? `did you mean ${meant}?` : '')
    }
    return name
  }

  #filter(from: Expr, token: Token, args: Argument[]): Expr {
    const name = this.#filterName(token)
    const { at } = from
    const end = this.#before()
    if (name === 'default' || name === 'd') return this.#default(from, args, end)
    if (/^(map|select|reject|selectattr|rejectattr)$/.test(name)) this.#namedInside(name, args)
    const signature = jinjaFilters[name]
    const kind: Kind = signature?.gives ?? 'plain'
    if (name === 'length' || name === 'count') {
      if (from.kind === 'generator') this.#refuse(from.at, generators, 'add | list before it')
    }
    const operand =
      signature?.takes === 'iterable'
        ? this.#iterable(from)
        : this.#handed(
            from,
            ...(signature?.takes === 'number' || name === 'string'
              ? (['float', 'soft'] as const)
              : (['soft'] as const)),
          )
    if (name === 'string') return { raw: `(${this.#printedText(operand, from)})`, kind: 'plain', at, end }
    if (name === 'float')
      return { raw: `(__c(${this.#call_(token, 'filter:float', [operand], args, name)})|float)`, kind, at, end }
    if (name === 'round') {
      // Python's round leaves a whole number whole.
      const call = `__c(${this.#call_(token, 'filter:round', [operand], args, name)})`
      const common = args.length < 2 && args[0]?.name !== 'method'
      return {
        raw: common ? `(${call} if ${operand} is integer else ${call}|float)` : `(${call}|float)`,
        kind,
        at,
        end,
      }
    }
    if (name === 'reverse' && from.string !== undefined)
      return { raw: `__c(${this.#call_(token, `filter:${name}`, [operand], args, name)})`, kind: 'plain', at, end }
    return { raw: `__c(${this.#call_(token, `filter:${name}`, [operand], args, name)})`, kind, at, end }
  }

  #printedText(operand: string, from: Expr): string {
    return `(${operand})|default('')|tojson|__p(${this.#site(from.at, from.end)})`
  }

  #default(from: Expr, args: Argument[], end: number): Expr {
    const named = (name: string, index: number) =>
      args.find((arg) => arg.name === name) ?? args.filter((arg) => arg.name === undefined)[index]
    const value = named('default_value', 0)
    const boolean = named('boolean', 1)
    const base = from.chain ? this.#lookable(from) : this.#value(from, 'soft', 'float')
    const fallback = value ? this.#value(value.value, 'float') : '""'
    const raw = `(${base}|default(${fallback}${boolean ? `, ${this.#value(boolean.value)}` : ''}))`
    const float = from.kind === 'float' || value?.value.kind === 'float'
    return { raw, kind: float ? 'float' : 'plain', at: from.at, end }
  }

  /** The literal names of filters and tests that map, select and their kin are given. */
  #namedInside(filter: string, args: readonly Argument[]): void {
    const positional = args.filter((arg) => arg.name === undefined)
    const literal = (index: number) => {
      const argument = positional[index]?.value
      if (argument && argument.string === undefined)
        this.#refuse(argument.at, `'${filter}' by a name that is worked out can not be checked`)
      return argument?.string === undefined
        ? undefined
        : { kind: 'string' as const, at: argument.at, text: argument.string }
    }
    if (filter === 'map') {
      const name = literal(0)
      if (!name) return
      this.#filterName({ ...name })
      if (jinjaFilters[name.text]?.gives === 'generator' || /^(float|round|default|d|string)$/.test(name.text)) {
        if (name.text !== 'string')
          this.#refuse(name.at, `'map' with '${name.text}' is not rendered alike by both engines`)
      }
    } else {
      const name = literal(filter.endsWith('attr') ? 1 : 0)
      if (name) this.#testName(name.at, name.text)
      if (filter.endsWith('attr')) literal(0)
    }
  }

  #testName(at: number, name: string): void {
    if (!jinjaTests.includes(name)) {
      if (['filter', 'test', 'callable', 'escaped', 'sameas'].includes(name))
        this.#refuse(at, `the test '${name}' is not rendered alike by both engines`)
      else {
        const meant = nearest(name, jinjaTests)
        this.#refuse(at, `no test is called '${name}'`, meant ? `did you mean ${meant}?` : '')
      }
    }
  }

  #test(from: Expr): Expr {
    const negated = this.#skip('not')
    const name = this.#name()
    let args: Argument[] = []
    if (this.#is('(')) args = this.#arguments()
    else if (
      (/^(name|string|integer|float)$/.test(this.#peek().kind) &&
        !this.#is('else', 'or', 'and', 'if', 'is', 'in', 'not')) ||
      this.#is('[', '{')
    )
      args = [{ value: this.#postfix(this.#primary()) }]
    this.#testName(name.at, name.text)
    const native = /^(defined|undefined|none)$/.test(name.text)
    if (from.kind === 'generator' || (!native && /^(view|tuple|float)$/.test(from.kind)))
      this.#refuse(from.at, generators, 'add | list before the test')
    const aboutType = /^(string|number|integer|float|boolean|true|false|mapping)$/.test(name.text)
    const base = /^(generator|view|tuple)$/.test(from.kind)
      ? from.raw
      : from.chain && (native || aboutType)
        ? this.#lookable(from)
        : native
          ? this.#value(from, 'soft', 'float')
          : this.#handed(from, 'soft', 'float')
    let raw: string
    if (native) raw = `(${base} is ${name.text})`
    else raw = `__c(${this.#call_(name, `test:${name.text}`, [base], args, 'test')})`
    return { raw: negated ? `(not ${raw})` : raw, kind: 'plain', at: from.at, end: this.#before() }
  }

  // --- what a value is used for

  #site(at: number, end: number, prefixes: string[] = []): number {
    this.request.sites.push({ template: this.request.template, at, text: this.request.source.slice(at, end), prefixes })
    return this.request.sites.length - 1
  }

  /** A value that has to be there, as the settings mean it; refuses what a mere value can not stand for in Jinja2. */
  #value(expr: Expr, ...also: ('soft' | 'float')[]): string {
    if (expr.kind === 'generator') this.#refuse(expr.at, generators, 'add | list')
    if (expr.kind === 'view') this.#refuse(expr.at, 'Jinja2 gives no list here', 'add | list')
    if (expr.kind === 'tuple')
      this.#refuse(expr.at, 'a tuple is printed and compared otherwise than a list', 'write [ ] for ( )')
    if (expr.kind === 'soft' && !also.includes('soft'))
      this.#refuse(expr.at, 'an if without else may give nothing here', 'write the else')
    if (expr.kind === 'float' && !also.includes('float'))
      this.#refuse(expr.at, 'a float is not handed on alike by both engines', 'add | int, or write // for a division')
    if (!expr.chain) return expr.raw
    this.#free(expr)
    if (expr.name !== undefined && this.#isFunction(expr.name))
      this.#refuse(expr.at, `'${expr.name}' is a function`, 'call it')
    if (this.request.options.undefined === 'chainable') return expr.raw
    if (this.request.options.undefined === 'default') return this.#lookable(expr)
    return `(${expr.raw} if ${expr.raw} is defined else ${this.#missing(expr, expr.chain)})`
  }

  /** A value for a call of ours, which could not tell one that is missing from none. */
  #handed(expr: Expr, ...also: ('soft' | 'float')[]): string {
    const value = this.#value(expr, ...also)
    const sure = expr.kind !== 'soft' && (!expr.chain || this.request.options.undefined === 'strict')
    return sure ? value : `(${value} if ${value} is defined else ${JSON.stringify(undefinedMark)})`
  }

  /** A value that may be missing, though not what it is looked for in. */
  #lookable(expr: Expr): string {
    this.#free(expr)
    const around = expr.chain?.slice(0, -1) ?? []
    const last = around.at(-1)
    if (!last || this.request.options.undefined === 'chainable') return expr.raw
    return `(${expr.raw} if ${last.raw} is defined else ${this.#missing(expr, around)})`
  }

  #missing(expr: Expr, steps: readonly { raw: string; end: number }[]): string {
    const names = steps.map(({ end }) => this.request.source.slice(expr.at, end))
    const id = this.#site(expr.at, expr.end, names)
    const there = steps.map(({ raw }) => `${raw} is defined`)
    return `__c(${id}, "undefined", [[${there.join(', ')}], [${steps.map(({ raw }) => raw).join(', ')}]], [])`
  }

  /** An imported template is rendered without the values of the one that imports it; minijinja would show them. */
  #free(expr: Expr): void {
    const name = /^\w+$/.exec(expr.chain?.[0]?.raw ?? '')?.[0]
    if (name === 'varargs' || name === 'kwargs') this.#refuse(expr.at, `'${name}' is not known to minijinja`)
    if (name === undefined || !this.request.alone || this.bound.has(name) || /^(loop|caller|self|super)$/.test(name))
      return
    this.#refuse(
      expr.at,
      `'${name}' is not known in an imported template`,
      "hand it to the macro, or import 'with context'",
    )
  }

  #isFunction(name: string): boolean {
    if (this.bound.has(name) || this.request.contextNames.has(name)) return false
    return /^(range|dict|namespace|cycler|joiner|debug|caller|super|self)$/.test(name) || this.request.helpers.has(name)
  }

  #iterable(expr: Expr): string {
    if (expr.kind === 'generator' || expr.kind === 'view' || expr.kind === 'tuple') return expr.raw
    return this.#handed(expr, 'soft')
  }

  #iterated(expr: Expr): string {
    const value = this.#iterable(expr)
    if (expr.kind !== 'plain' && expr.kind !== 'soft') return value
    return `(${value} if ${value} is sequence else __c(${this.#site(expr.at, expr.end)}, "iterate", [${value}], []))`
  }
}

const jinjaTests = [
  'defined',
  'undefined',
  'none',
  'string',
  'number',
  'integer',
  'float',
  'boolean',
  'true',
  'false',
  'mapping',
  'sequence',
  'iterable',
  'odd',
  'even',
  'divisibleby',
  'eq',
  'equalto',
  '==',
  'ne',
  '!=',
  'lt',
  'lessthan',
  '<',
  'le',
  '<=',
  'gt',
  'greaterthan',
  '>',
  'ge',
  '>=',
  'in',
  'lower',
  'upper',
]

const openedAs = (open: { name: string } | undefined): string =>
  open ? `; expected ${closers[open.name]} to close '${open.name}'` : ''

const hintForTag = (tag: string): string =>
  tag === 'do' ? `write 'set ns.x = …' with a namespace; ${otherEngine}` : otherEngine

const lineCount = (text: string): number => text.split('\n').length - 1

const escapes: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** What a string literal stands for, by Python's rules: an escape that is none stays as it is written. */
function stringValue(literal: string): string {
  return literal
    .slice(1, -1)
    .replace(/\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[\s\S])/gu, (whole, code: string) => {
      if (code === '\n') return ''
      if (/^[xuU]/.test(code) && code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
      if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
      return escapes[code] ?? whole
    })
}
