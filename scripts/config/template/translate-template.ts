/**
 * Words a template for minijinja so that it renders what Jinja2 would, and refuses what can not be worded so.
 *
 * Why minijinja is not given the template as it stands: it prints `true` for `True`, sorts maps, knows only a part of
 * the filters, lets a missing value through comparisons and filters even when it is strict, and leaks variables out of
 * includes, all without a word. Here an expression is read by the grammar of Jinja2's own parser; what both understand
 * alike stays, and everything else becomes a call of ours (`__c`), which also knows its place in the template.
 * Tags stay on their lines, and the whitespace between them is minijinja's business.
 */

import { nearest } from '../../../workflows/model/nearest.ts'
import { type Expr, ExpressionTranslator } from './expression-translator.ts'
import { lexTemplate, type Segment, TemplateSyntaxError, type Token } from './lex-template.ts'
import { markerOf } from './output-origin.ts'
import { stringValue } from './string-value.ts'
import { otherEngine } from './tag-reader.ts'
import type { Reference, TagPlace, Translated, TranslateRequest } from './translate-request.ts'

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

class Translation extends ExpressionTranslator {
  protected readonly bound: Set<string>
  readonly segments: Segment[]
  protected readonly modules = new Set<string>()
  /** the tags that are not closed yet, innermost last */
  protected readonly open: { name: string; at: number; seen: string[] }[] = []

  constructor(request: TranslateRequest) {
    super(request)
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
      const mark = (body: string, at: number) => (this.request.marked ? this.marked(body, at) : body)
      if (segment.kind === 'text') add(mark(segment.text, segment.at))
      else if (segment.kind === 'comment') add(segment.text)
      else if (segment.kind === 'raw') {
        // Jinja's trim_blocks leaves the newline after raw alone.
        const opening = /-%\}$/.test(segment.open) ? segment.open : segment.open.replace(/\s*%\}$/, ' +%}')
        add(opening + mark(segment.body, segment.at + segment.open.length) + segment.close)
      } else {
        this.tokens = segment.tokens
        this.position = 0
        const inner = segment.kind === 'output' ? this.output() : this.statement(segment.at, open)
        if (segment.kind === 'output' && this.request.marked && this.opensLine(segment))
          add(markerOf(this.request.template, this.lineOf(segment.at)))
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

  protected lineOf(at: number): number {
    return lineCount(this.request.source.slice(0, at)) + 1
  }

  /** Only blanks before it on its line, and no sign that would eat them. */
  protected opensLine(segment: Segment & { kind: 'output' | 'block' }): boolean {
    if (segment.open.endsWith('-')) return false
    return /(^|\n)[ \t]*$/.test(this.request.source.slice(0, segment.at))
  }

  protected marked(body: string, at: number): string {
    const firstLine = this.lineOf(at)
    return body
      .split('\n')
      .map((text, index) => {
        const blanks = /^\s*/.exec(text)?.[0].length ?? 0
        if (blanks === text.length) return text
        return text.slice(0, blanks) + markerOf(this.request.template, firstLine + index) + text.slice(blanks)
      })
      .join('\n')
  }

  // --- tags

  protected output(): string {
    const expr = this.tuple()
    this.end()
    return this.printed(expr)
  }

  protected printed(expr: Expr): string {
    if (expr.string !== undefined) return expr.raw
    const id = this.site(expr.at, expr.end)
    return `(${this.value(expr, 'soft', 'float')})|default('')|tojson|__p(${id})`
  }

  protected statement(at: number, open: { name: string; at: number; seen: string[] }[]): string {
    const word = this.name()
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
        return this.for()
      case 'if':
        start('if')
        return `if ${this.condition()}`
      case 'elif':
        branch('if')
        return `elif ${this.condition()}`
      case 'else':
        branch('if', 'for')
        this.end()
        return 'else'
      case 'set':
        return this.set(() => start('set'))
      case 'macro':
        start('macro')
        return this.macro()
      case 'call':
        start('call')
        return this.call()
      case 'filter':
        start('filter')
        return `filter ${this.filterChain()} %}{% with`
      case 'with':
        start('with')
        return this.with()
      case 'block': {
        const around = open.find(({ name }) => name !== 'if' && name !== 'block')
        if (around) this.refuse(word.at, `a block does not see the variables of a '${around.name}' in Jinja2`)
        start('block')
        const name = this.name().text
        if (this.is('scoped', 'required')) {
          this.refuse(this.peek().at, `'${this.peek().text}' blocks are not known to minijinja`)
          while (this.peek().kind !== 'end') this.next()
        }
        this.end()
        return `block ${name}`
      }
      case 'extends':
      case 'include':
      case 'import':
      case 'from':
        return this.reference(word)
      case 'do':
      case 'break':
      case 'continue':
      case 'autoescape':
      case 'endautoescape':
      case 'trans':
        this.refuse(word.at, `'${word.text}' is not rendered alike by both engines`, hintForTag(word.text))
        while (this.peek().kind !== 'end') this.next()
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
    if (opener === 'block' && this.peek().kind === 'name') this.next()
    this.end()
    return opener === 'set' || opener === 'filter' ? `endwith %}{% ${word.text}` : word.text
  }

  protected condition(): string {
    const expr = this.tuple()
    this.end()
    return this.value(expr, 'soft', 'float')
  }

  protected for(): string {
    const targets = this.targets()
    this.expect('in')
    const list = this.tuple(() => this.or())
    let filter = ''
    if (this.skip('if')) filter = ` if ${this.value(this.expression())}`
    if (this.is('recursive')) {
      this.refuse(
        this.peek().at,
        "'recursive' loops are not rendered alike by both engines",
        'write a macro that calls itself',
      )
      this.next()
    }
    this.end()
    return `for ${targets} in ${this.iterated(list)}${filter}`
  }

  protected targets(): string {
    const names: string[] = []
    do {
      if (this.skip('(')) {
        names.push(`(${this.targets()})`)
        this.expect(')')
      } else if (this.is('in', ')')) break
      else names.push(this.name().text)
    } while (this.skip(','))
    return names.join(', ')
  }

  protected set(startBlock: () => void): string {
    const target = this.name()
    let text = target.text
    if (this.skip('.')) text += `.${this.name().text}`
    if (this.is(',')) {
      this.refuse(target.at, "'set' of several names at once is not known to minijinja", "write one 'set' for each")
      while (!this.is('=') && this.peek().kind !== 'end') this.next()
    }
    if (this.skip('=')) {
      const expr = this.tuple()
      this.end()
      return `set ${text} = ${this.value(expr)}`
    }
    startBlock()
    // minijinja keeps what is set inside; Jinja2 has a scope there.
    if (this.skip('|')) return `set ${text} | ${this.filterChain()} %}{% with`
    this.end()
    return `set ${text} %}{% with`
  }

  protected macro(): string {
    const name = this.name().text
    return `macro ${name}(${this.parameters()})`
  }

  protected parameters(): string {
    const parameters: string[] = []
    this.expect('(')
    while (!this.is(')')) {
      const name = this.name().text
      parameters.push(this.skip('=') ? `${name}=${this.value(this.expression())}` : name)
      if (!this.skip(',')) break
    }
    this.expect(')')
    return parameters.join(', ')
  }

  protected call(): string {
    const parameters = this.is('(') ? `(${this.parameters()})` : ''
    const expr = this.unary()
    this.end()
    return `call${parameters} ${expr.raw}`
  }

  protected with(): string {
    const own = new Set<string>()
    const bindings: string[] = []
    while (this.peek().kind !== 'end') {
      const name = this.name()
      this.expect('=')
      const from = this.position
      const value = this.value(this.expression())
      const used = this.tokens.slice(from, this.position).find((token) => token.kind === 'name' && own.has(token.text))
      if (used)
        this.refuse(
          used.at,
          `'${used.text}' of the same 'with' is not seen here by Jinja2`,
          "write a 'with' inside the other",
        )
      own.add(name.text)
      bindings.push(`${name.text} = ${value}`)
      if (!this.skip(',')) break
    }
    this.end()
    return `with ${bindings.join(', ')}`
  }

  protected filterChain(): string {
    const filters: string[] = []
    do {
      const name = this.name()
      const args = this.is('(') ? this.arguments() : []
      filters.push(`__f(${this.call_(name, `filter:${this.filterName(name)}`, [], args, 'filter')})`)
    } while (this.skip('|'))
    this.end()
    return filters.join('|')
  }

  protected reference(word: Token): string {
    const list = word.text === 'include' && this.skip('[')
    const names: Token[] = []
    do {
      if (this.peek().kind !== 'string') {
        this.refuse(
          this.peek().at,
          `'${word.text}' of a name that is worked out can not be checked before it is rendered`,
        )
        while (this.peek().kind !== 'end') this.next()
        return 'set __refused = 1'
      }
      names.push(this.next())
      if (this.is('~', '+', 'if', '|', '%')) {
        this.position -= 1
        this.refuse(
          this.peek().at,
          `'${word.text}' of a name that is worked out can not be checked before it is rendered`,
        )
        while (this.peek().kind !== 'end') this.next()
        return 'set __refused = 1'
      }
    } while (list && this.skip(',') && !this.is(']'))
    if (list) this.expect(']')
    const ignoring = this.is('ignore') && this.tokens[this.position + 1]?.text === 'missing'
    if (word.text === 'include' && ignoring) this.position += 2
    const how = word.text === 'include' || word.text === 'extends' ? word.text : importKind(this.tokens)
    const mayBeAbsent = word.text === 'include' && (ignoring || list)
    const found = names
      .map((name) => this.request.nameOf({ path: stringValue(name.text), at: name.at, how }, mayBeAbsent))
      .find((name) => name !== undefined)
    if (word.text === 'extends') {
      this.end()
      return `extends ${JSON.stringify(found ?? '')}`
    }
    if (word.text === 'include') {
      if (this.is('without')) this.refuse(this.peek().at, "'include' without context is not known to minijinja")
      if (this.is('with', 'without')) this.position += 2
      this.end()
      // minijinja keeps what an included template sets, so it gets a scope of its own.
      return found === undefined ? 'if false %}{% endif' : `with %}{% include ${JSON.stringify(found)} %}{% endwith`
    }
    let rest = ''
    if (word.text === 'import') {
      this.expect('as')
      rest = ` as ${this.name().text}`
    } else {
      this.expect('import')
      const imported: string[] = []
      while (
        this.peek().kind === 'name' &&
        !(this.is('with', 'without') && this.tokens[this.position + 1]?.text === 'context')
      ) {
        const name = this.name().text
        imported.push(this.skip('as') ? `${name} as ${this.name().text}` : name)
        if (!this.skip(',')) break
      }
      rest = ` import ${imported.join(', ')}`
    }
    if (this.is('with', 'without')) {
      this.next()
      this.expect('context')
    }
    this.end()
    return `${word.text} ${JSON.stringify(found ?? '')}${rest}`
  }
}

const openedAs = (open: { name: string } | undefined): string =>
  open ? `; expected ${closers[open.name]} to close '${open.name}'` : ''

const hintForTag = (tag: string): string =>
  tag === 'do' ? `write 'set ns.x = …' with a namespace; ${otherEngine}` : otherEngine

const lineCount = (text: string): number => text.split('\n').length - 1
