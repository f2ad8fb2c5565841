import { nearest } from '../../../workflows/model/nearest.ts'
import { jinjaFilters, knownToJinja, stringMethods } from './jinja-signatures.ts'
import type { Token } from './lex-template.ts'
import { stringValue } from './string-value.ts'
import { otherEngine, TagReader } from './tag-reader.ts'
import { undefinedMark } from './template-value.ts'

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

/** An expression in the words of minijinja. */
export type Expr = {
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

const dictMethods = ['items', 'keys', 'values', 'get', 'pop', 'update', 'copy', 'clear', 'setdefault', 'popitem']
const generators = "Jinja2 gives a generator here, which can be read only once; add '| list'"

/**
 * Reads expressions by the grammar of Jinja2's own parser, and words each for minijinja: what both understand alike stays,
 * and everything else becomes a call of ours.
 */
export abstract class ExpressionTranslator extends TagReader {
  /** names that the template binds anywhere in it */
  protected abstract readonly bound: ReadonlySet<string>
  /** names of imported templates */
  protected abstract readonly modules: ReadonlySet<string>
  /** the tags that are not closed yet, innermost last */
  protected abstract readonly open: readonly { name: string; at: number; seen: string[] }[]
  /** an expression as it is printed into the text */
  protected abstract printed(expr: Expr): string

  // --- expressions, by the precedence of jinja2/parser.py

  protected tuple(item: () => Expr = () => this.expression()): Expr {
    const first = item()
    if (!this.is(',')) return first
    const items = [first]
    while (this.skip(',')) {
      if (this.peek().kind === 'end' || this.is(')', 'if')) break
      items.push(item())
    }
    return {
      raw: `[${items.map((each) => this.value(each)).join(', ')}]`,
      kind: 'tuple',
      at: first.at,
      end: items.at(-1)?.end ?? first.end,
    }
  }

  protected expression(): Expr {
    let expr = this.or()
    while (this.skip('if')) {
      const condition = this.value(this.or(), 'soft', 'float')
      const float = expr.kind === 'float'
      if (this.skip('else')) {
        const other = this.expression()
        const raw = `(${this.value(expr, 'float')} if ${condition} else ${this.value(other, 'float', 'soft')})`
        expr = {
          raw,
          kind: float || other.kind === 'float' ? 'float' : other.kind === 'soft' ? 'soft' : 'plain',
          at: expr.at,
          end: other.end,
        }
      } else {
        if (float) this.refuse(expr.at, 'a float that may be missing is not printed alike by both engines')
        expr = { raw: `(${this.value(expr)} if ${condition})`, kind: 'soft', at: expr.at, end: this.before() }
      }
    }
    return expr
  }

  protected before(): number {
    const token = this.tokens[this.position - 1]
    return token ? token.at + token.text.length : 0
  }

  protected or(): Expr {
    return this.logical('or', () => this.logical('and', () => this.not()))
  }

  protected logical(operator: string, operand: () => Expr): Expr {
    let left = operand()
    while (this.skip(operator)) {
      const right = operand()
      left = this.plain(`(${this.value(left)} ${operator} ${this.value(right)})`, left, right)
    }
    return left
  }

  protected not(): Expr {
    const { at } = this.peek()
    if (!this.is('not')) return this.compare()
    this.next()
    const operand = this.not()
    return { raw: `(not ${this.value(operand, 'soft', 'float')})`, kind: 'plain', at, end: operand.end }
  }

  protected compare(): Expr {
    let left = this.sum()
    const parts: string[] = []
    const { at } = left
    let { end } = left
    for (;;) {
      let operator = ''
      if (this.is('==', '!=', '<', '>', '<=', '>=', 'in')) operator = this.next().text
      else if (this.is('not') && this.tokens[this.position + 1]?.text === 'in') {
        this.position += 2
        operator = 'not in'
      } else break
      const right = this.sum()
      end = right.end
      if (operator === '==' || operator === '!=')
        parts.push(`(${this.value(left, 'float')} ${operator} ${this.value(right, 'float')})`)
      else {
        const others = /in$/.test(operator) ? [this.iterable(right)] : [this.handed(right, 'float')]
        parts.push(
          `__c(${this.site(at, end)}, ${JSON.stringify(`op:${operator}`)}, [${this.handed(left, 'float')}, ${others}], [])`,
        )
      }
      left = right
    }
    return parts.length === 0
      ? left
      : { raw: parts.length > 1 ? `(${parts.join(' and ')})` : (parts[0] ?? ''), kind: 'plain', at, end }
  }

  protected sum(): Expr {
    let left = this.concat()
    while (this.is('+', '-')) {
      const operator = this.next().text
      left = this.arithmetic(left, operator, this.concat())
    }
    return left
  }

  protected concat(): Expr {
    const operands = [this.product()]
    while (this.skip('~')) operands.push(this.product())
    const [first] = operands
    if (!first || operands.length === 1) return first as Expr
    const last = operands.at(-1) ?? first
    return this.plain(`(${operands.map((operand) => `(${this.printed(operand)})`).join(' ~ ')})`, first, last)
  }

  protected product(): Expr {
    let left = this.power()
    while (this.is('*', '/', '//', '%')) {
      const { text: operator, at } = this.next()
      const right = this.power()
      if (operator === '%') {
        // A tuple is what Python's formatting takes; any other list would be one value.
        const value = right.kind === 'tuple' ? right.raw : this.handed(right)
        const name = right.kind === 'tuple' ? 'op:% tuple' : 'op:%'
        left = this.plain(
          `__c(${this.site(at, right.end)}, ${JSON.stringify(name)}, [${this.handed(left)}, ${value}], [])`,
          left,
          right,
        )
      } else if (operator === '/')
        left = {
          ...this.plain(
            `(__c(${this.site(left.at, right.end)}, "op:/", [${this.handed(left, 'float')}, ${this.handed(right, 'float')}], [])|float)`,
            left,
            right,
          ),
          kind: 'float',
        }
      else left = this.arithmetic(left, operator, right)
    }
    return left
  }

  protected power(): Expr {
    let left = this.unary()
    while (this.is('**')) {
      this.next()
      left = this.arithmetic(left, '**', this.unary())
    }
    return left
  }

  protected arithmetic(left: Expr, operator: string, right: Expr): Expr {
    const float = left.kind === 'float' || right.kind === 'float' || this.mayBeFraction(left, right)
    if (float) {
      const raw = `(${this.value(left, 'float')} ${operator} ${this.value(right, 'float')})`
      return { ...this.plain(raw, left, right), kind: 'float' }
    }
    const operands = `[${this.handed(left)}, ${this.handed(right)}]`
    const id = this.site(left.at, right.end)
    return this.plain(`__c(${id}, ${JSON.stringify(`op:${operator}`)}, ${operands}, [])`, left, right)
  }

  /** A sum of two fractions may be whole, and a text is no number. */
  protected mayBeFraction(left: Expr, right: Expr): boolean {
    return this.request.fractions && left.string === undefined && right.string === undefined
  }

  protected plain(raw: string, left: Expr, right: Expr): Expr {
    return { raw, kind: 'plain', at: left.at, end: right.end }
  }

  protected unary(withFilter = true): Expr {
    let expr: Expr
    const { at } = this.peek()
    if (this.is('-', '+')) {
      const operator = this.next().text
      const operand = this.unary(false)
      const value = this.value(operand, 'float')
      expr = {
        raw: operator === '-' ? `(-${value})` : `(0 + ${value})`,
        kind: operand.kind === 'float' ? 'float' : 'plain',
        at,
        end: operand.end,
      }
    } else expr = this.primary()
    expr = this.postfix(expr)
    return withFilter ? this.filters(expr) : expr
  }

  protected primary(): Expr {
    const token = this.next()
    const { at, text } = token
    const end = at + text.length
    const literal = (raw: string): Expr => ({ raw, kind: 'plain', at, end })
    switch (token.kind) {
      case 'name': {
        if (/^(true|True|false|False|none|None)$/.test(text)) return literal(text.toLowerCase())
        if (text === 'loop' && !this.open.some(({ name }) => name === 'for') && !this.bound.has('loop'))
          this.refuse(at, "'loop' is undefined outside of a 'for' of the same template", '')
        if (!/^\w+$/.test(text)) this.refuse(at, `minijinja knows no names like '${text}'`)
        return { raw: text, kind: 'plain', at, end, name: text, chain: [{ raw: text, end }] }
      }
      case 'string': {
        let value = stringValue(text)
        while (this.peek().kind === 'string') value += stringValue(this.next().text)
        return { ...literal(JSON.stringify(value)), end: this.before(), string: value }
      }
      case 'integer': {
        const value = Number(text.replaceAll('_', ''))
        if (!Number.isSafeInteger(value)) this.refuse(at, 'a number this large is not kept exactly')
        return literal(String(value))
      }
      case 'float':
        return { ...literal(text.replaceAll('_', '')), kind: 'float' }
      case 'operator':
        if (text === '(') {
          if (this.skip(')')) return { raw: '[]', kind: 'tuple', at, end: end + 1 }
          const inner = this.tuple()
          this.expect(')')
          const { name: _, chain, ...rest } = inner
          return { ...rest, ...(chain && { chain }), ...(inner.name && { name: inner.name }) }
        }
        if (text === '[') {
          const items: string[] = []
          while (!this.is(']')) {
            items.push(this.handed(this.expression()))
            if (!this.skip(',')) break
          }
          this.expect(']')
          return { raw: `[${items.join(', ')}]`, kind: 'plain', at, end: this.before() }
        }
        if (text === '{') {
          const pairs: string[] = []
          while (!this.is('}')) {
            const key = this.handed(this.expression())
            this.expect(':')
            pairs.push(`[${key}, ${this.handed(this.expression())}]`)
            if (!this.skip(',')) break
          }
          this.expect('}')
          const close = this.before()
          return {
            raw: `__c(${this.site(at, close)}, "dict", [${pairs.join(', ')}], [])`,
            kind: 'plain',
            at,
            end: close,
          }
        }
    }
    this.position -= 1
    throw this.unexpected('an expression')
  }

  protected postfix(start: Expr): Expr {
    let expr = start
    for (;;) {
      if (this.skip('.')) {
        const token = this.next()
        if (token.kind === 'integer') expr = this.looked(expr, `[${token.text}]`)
        else if (token.kind !== 'name') {
          this.position -= 1
          throw this.unexpected('a name')
        } else if (this.is('(')) expr = this.method(expr, token)
        else {
          if (dictMethods.includes(token.text))
            this.refuse(
              token.at,
              `'.${token.text}' is a method in Jinja2`,
              `write ['${token.text}'] for the key, or .${token.text}()`,
            )
          expr = this.looked(expr, `.${token.text}`)
        }
      } else if (this.skip('[')) expr = this.subscript(expr)
      else if (this.is('(')) expr = this.called(expr)
      else return expr
    }
  }

  /** One more step into a value: the steps before it are kept, to name the one that is missing. */
  protected looked(from: Expr, step: string): Expr {
    const base = from.chain ? from.raw : `(${this.value(from, 'soft')})`
    const steps = from.chain ?? [{ raw: base, end: from.end }]
    const end = this.before()
    return { raw: base + step, kind: 'plain', at: from.at, end, chain: [...steps, { raw: base + step, end }] }
  }

  protected subscript(from: Expr): Expr {
    const part = () => (this.is(':', ']') ? '' : this.value(this.expression()))
    const parts = [part()]
    while (this.skip(':')) parts.push(part())
    this.expect(']')
    if (parts.length === 1) return this.looked(from, `[${parts[0]}]`)
    return { raw: `(${this.value(from)})[${parts.join(':')}]`, kind: 'plain', at: from.at, end: this.before() }
  }

  protected arguments(): Argument[] {
    const args: Argument[] = []
    this.expect('(')
    while (!this.is(')')) {
      if (this.is('*', '**')) this.refuse(this.peek().at, 'arguments from a list or a map are not known to minijinja')
      if (this.is('*', '**')) this.next()
      const named = this.peek().kind === 'name' && this.tokens[this.position + 1]?.text === '='
      const name = named ? this.next().text : undefined
      if (named) this.next()
      args.push({ ...(name !== undefined && { name }), value: this.expression() })
      if (!this.skip(',')) break
    }
    this.expect(')')
    return args
  }

  /** The arguments of a call of ours: site, name, positional values, named values. */
  protected call_(
    where: { at: number },
    name: string,
    first: readonly string[],
    args: readonly Argument[],
    what: string,
  ): string {
    for (const { name: key, value } of args)
      if (value.kind === 'generator') this.refuse(value.at, generators, `write (… | list)${key ? '' : ''}`)
    const given = (argument: Argument) =>
      argument.value.kind === 'tuple' || argument.value.kind === 'view'
        ? argument.value.raw
        : this.handed(argument.value, ...(what === 'filter:default' ? (['soft'] as const) : []))
    const positional = [...first, ...args.filter((arg) => arg.name === undefined).map(given)]
    const named = args
      .filter((arg) => arg.name !== undefined)
      .map((arg) => `[${JSON.stringify(arg.name)}, ${given(arg)}]`)
    return `${this.site(where.at, this.before())}, ${JSON.stringify(name)}, [${positional.join(', ')}], [${named.join(', ')}]`
  }

  protected nativeArguments(args: readonly Argument[]): string {
    return args.map(({ name, value }) => (name === undefined ? '' : `${name}=`) + this.value(value)).join(', ')
  }

  protected called(callee: Expr): Expr {
    const args = this.arguments()
    const { at } = callee
    const end = this.before()
    const { name } = callee
    const native = (kind: Kind = 'plain'): Expr => ({
      raw: `${callee.raw}(${this.nativeArguments(args)})`,
      kind,
      at,
      end,
    })
    if (name === undefined) {
      this.refuse(at, 'this can not be called')
      return native()
    }
    if (this.bound.has(name) || name === 'caller' || name === 'super') return native()
    if (name === 'range') return { ...native('view'), raw: `range(${this.nativeArguments(args)})` }
    if (name === 'namespace') return native()
    if (name === 'dict' || this.request.helpers.has(name))
      return {
        raw: `__c(${this.call_({ at }, name === 'dict' ? 'dict()' : `helper:${name}`, [], args, 'helper')})`,
        kind: 'plain',
        at,
        end,
      }
    if (this.request.boundSomewhere.has(name)) return native()
    if (['cycler', 'joiner', 'lipsum', 'gettext', 'ngettext', '_'].includes(name))
      this.refuse(at, `'${name}' is not rendered alike by both engines`)
    else {
      const meant = nearest(name, [...this.request.helpers, ...this.bound, 'range', 'dict', 'namespace'])
      this.refuse(at, `no function is called '${name}'`, meant ? `did you mean ${meant}?` : '')
    }
    return native()
  }

  protected method(from: Expr, name: Token): Expr {
    const args = this.arguments()
    const end = this.before()
    const { at } = from
    const base = from.name
    const native = base !== undefined && (base === 'loop' || base === 'self' || this.modules.has(base))
    if (native) return { raw: `${from.raw}.${name.text}(${this.nativeArguments(args)})`, kind: 'plain', at, end }
    if (!stringMethods.includes(name.text)) {
      const meant = nearest(name.text, stringMethods)
      this.refuse(
        name.at,
        `the method '${name.text}' is not known here`,
        meant && meant !== name.text ? `did you mean ${meant}?` : otherEngine,
      )
    }
    const raw = `__c(${this.call_({ at: name.at }, `method:${name.text}`, [this.handed(from)], args, 'method')})`
    return { raw, kind: /^(items|keys|values)$/.test(name.text) ? 'view' : 'plain', at, end }
  }

  protected filters(start: Expr): Expr {
    let expr = start
    for (;;) {
      if (this.skip('|')) {
        const name = this.name()
        const args = this.is('(') ? this.arguments() : []
        expr = this.filter(expr, name, args)
      } else if (this.is('is')) {
        this.next()
        expr = this.test(expr)
      } else return expr
    }
  }

  protected filterName(token: Token): string {
    const { text: name, at } = token
    if (jinjaFilters[name] || this.request.helpers.has(name)) return name
    if (knownToJinja.includes(name)) this.refuse(at, `the filter '${name}' is not rendered alike by both engines`)
    else {
      const meant = nearest(name, [...Object.keys(jinjaFilters), ...this.request.helpers, ...knownToJinja])
      this.refuse(at, `no filter is called '${name}'`, meant ? `did you mean ${meant}?` : '')
    }
    return name
  }

  protected filter(from: Expr, token: Token, args: Argument[]): Expr {
    const name = this.filterName(token)
    const { at } = from
    const end = this.before()
    if (name === 'default' || name === 'd') return this.default(from, args, end)
    if (/^(map|select|reject|selectattr|rejectattr)$/.test(name)) this.namedInside(name, args)
    const signature = jinjaFilters[name]
    const kind: Kind = signature?.gives ?? 'plain'
    if (name === 'length' || name === 'count') {
      if (from.kind === 'generator') this.refuse(from.at, generators, 'add | list before it')
    }
    const operand =
      signature?.takes === 'iterable'
        ? this.iterable(from)
        : this.handed(
            from,
            ...(signature?.takes === 'number' || name === 'string'
              ? (['float', 'soft'] as const)
              : (['soft'] as const)),
          )
    if (name === 'string') return { raw: `(${this.printedText(operand, from)})`, kind: 'plain', at, end }
    if (name === 'float')
      return { raw: `(__c(${this.call_(token, 'filter:float', [operand], args, name)})|float)`, kind, at, end }
    if (name === 'round') {
      // Python's round leaves a whole number whole.
      const call = `__c(${this.call_(token, 'filter:round', [operand], args, name)})`
      const common = args.length < 2 && args[0]?.name !== 'method'
      return {
        raw: common ? `(${call} if ${operand} is integer else ${call}|float)` : `(${call}|float)`,
        kind,
        at,
        end,
      }
    }
    if (name === 'reverse' && from.string !== undefined)
      return { raw: `__c(${this.call_(token, `filter:${name}`, [operand], args, name)})`, kind: 'plain', at, end }
    return { raw: `__c(${this.call_(token, `filter:${name}`, [operand], args, name)})`, kind, at, end }
  }

  protected printedText(operand: string, from: Expr): string {
    return `(${operand})|default('')|tojson|__p(${this.site(from.at, from.end)})`
  }

  protected default(from: Expr, args: Argument[], end: number): Expr {
    const named = (name: string, index: number) =>
      args.find((arg) => arg.name === name) ?? args.filter((arg) => arg.name === undefined)[index]
    const value = named('default_value', 0)
    const boolean = named('boolean', 1)
    const base = from.chain ? this.lookable(from) : this.value(from, 'soft', 'float')
    const fallback = value ? this.value(value.value, 'float') : '""'
    const raw = `(${base}|default(${fallback}${boolean ? `, ${this.value(boolean.value)}` : ''}))`
    const float = from.kind === 'float' || value?.value.kind === 'float'
    return { raw, kind: float ? 'float' : 'plain', at: from.at, end }
  }

  /** The literal names of filters and tests that map, select and their kin are given. */
  protected namedInside(filter: string, args: readonly Argument[]): void {
    const positional = args.filter((arg) => arg.name === undefined)
    const literal = (index: number) => {
      const argument = positional[index]?.value
      if (argument && argument.string === undefined)
        this.refuse(argument.at, `'${filter}' by a name that is worked out can not be checked`)
      return argument?.string === undefined
        ? undefined
        : { kind: 'string' as const, at: argument.at, text: argument.string }
    }
    if (filter === 'map') {
      const name = literal(0)
      if (!name) return
      this.filterName({ ...name })
      if (jinjaFilters[name.text]?.gives === 'generator' || /^(float|round|default|d|string)$/.test(name.text)) {
        if (name.text !== 'string')
          this.refuse(name.at, `'map' with '${name.text}' is not rendered alike by both engines`)
      }
    } else {
      const name = literal(filter.endsWith('attr') ? 1 : 0)
      if (name) this.testName(name.at, name.text)
      if (filter.endsWith('attr')) literal(0)
    }
  }

  protected testName(at: number, name: string): void {
    if (!jinjaTests.includes(name)) {
      if (['filter', 'test', 'callable', 'escaped', 'sameas'].includes(name))
        this.refuse(at, `the test '${name}' is not rendered alike by both engines`)
      else {
        const meant = nearest(name, jinjaTests)
        this.refuse(at, `no test is called '${name}'`, meant ? `did you mean ${meant}?` : '')
      }
    }
  }

  protected test(from: Expr): Expr {
    const negated = this.skip('not')
    const name = this.name()
    let args: Argument[] = []
    if (this.is('(')) args = this.arguments()
    else if (
      (/^(name|string|integer|float)$/.test(this.peek().kind) &&
        !this.is('else', 'or', 'and', 'if', 'is', 'in', 'not')) ||
      this.is('[', '{')
    )
      args = [{ value: this.postfix(this.primary()) }]
    this.testName(name.at, name.text)
    const native = /^(defined|undefined|none)$/.test(name.text)
    if (from.kind === 'generator' || (!native && /^(view|tuple|float)$/.test(from.kind)))
      this.refuse(from.at, generators, 'add | list before the test')
    const aboutType = /^(string|number|integer|float|boolean|true|false|mapping)$/.test(name.text)
    const base = /^(generator|view|tuple)$/.test(from.kind)
      ? from.raw
      : from.chain && (native || aboutType)
        ? this.lookable(from)
        : native
          ? this.value(from, 'soft', 'float')
          : this.handed(from, 'soft', 'float')
    let raw: string
    if (native) raw = `(${base} is ${name.text})`
    else raw = `__c(${this.call_(name, `test:${name.text}`, [base], args, 'test')})`
    return { raw: negated ? `(not ${raw})` : raw, kind: 'plain', at: from.at, end: this.before() }
  }

  // --- what a value is used for

  protected site(at: number, end: number, prefixes: string[] = []): number {
    this.request.sites.push({ template: this.request.template, at, text: this.request.source.slice(at, end), prefixes })
    return this.request.sites.length - 1
  }

  /** A value that has to be there, as the settings mean it; refuses what a mere value can not stand for in Jinja2. */
  protected value(expr: Expr, ...also: ('soft' | 'float')[]): string {
    if (expr.kind === 'generator') this.refuse(expr.at, generators, 'add | list')
    if (expr.kind === 'view') this.refuse(expr.at, 'Jinja2 gives no list here', 'add | list')
    if (expr.kind === 'tuple')
      this.refuse(expr.at, 'a tuple is printed and compared otherwise than a list', 'write [ ] for ( )')
    if (expr.kind === 'soft' && !also.includes('soft'))
      this.refuse(expr.at, 'an if without else may give nothing here', 'write the else')
    if (expr.kind === 'float' && !also.includes('float'))
      this.refuse(expr.at, 'a float is not handed on alike by both engines', 'add | int, or write // for a division')
    if (!expr.chain) return expr.raw
    this.free(expr)
    if (expr.name !== undefined && this.isFunction(expr.name))
      this.refuse(expr.at, `'${expr.name}' is a function`, 'call it')
    if (this.request.options.undefined === 'chainable') return expr.raw
    if (this.request.options.undefined === 'default') return this.lookable(expr)
    return `(${expr.raw} if ${expr.raw} is defined else ${this.missing(expr, expr.chain)})`
  }

  /** A value for a call of ours, which could not tell one that is missing from none. */
  protected handed(expr: Expr, ...also: ('soft' | 'float')[]): string {
    const value = this.value(expr, ...also)
    const sure = expr.kind !== 'soft' && (!expr.chain || this.request.options.undefined === 'strict')
    return sure ? value : `(${value} if ${value} is defined else ${JSON.stringify(undefinedMark)})`
  }

  /** A value that may be missing, though not what it is looked for in. */
  protected lookable(expr: Expr): string {
    this.free(expr)
    const around = expr.chain?.slice(0, -1) ?? []
    const last = around.at(-1)
    if (!last || this.request.options.undefined === 'chainable') return expr.raw
    return `(${expr.raw} if ${last.raw} is defined else ${this.missing(expr, around)})`
  }

  protected missing(expr: Expr, steps: readonly { raw: string; end: number }[]): string {
    const names = steps.map(({ end }) => this.request.source.slice(expr.at, end))
    const id = this.site(expr.at, expr.end, names)
    const there = steps.map(({ raw }) => `${raw} is defined`)
    return `__c(${id}, "undefined", [[${there.join(', ')}], [${steps.map(({ raw }) => raw).join(', ')}]], [])`
  }

  /** An imported template is rendered without the values of the one that imports it; minijinja would show them. */
  protected free(expr: Expr): void {
    const name = /^\w+$/.exec(expr.chain?.[0]?.raw ?? '')?.[0]
    if (name === 'varargs' || name === 'kwargs') this.refuse(expr.at, `'${name}' is not known to minijinja`)
    if (name === undefined || !this.request.alone || this.bound.has(name) || /^(loop|caller|self|super)$/.test(name))
      return
    this.refuse(
      expr.at,
      `'${name}' is not known in an imported template`,
      "hand it to the macro, or import 'with context'",
    )
  }

  protected isFunction(name: string): boolean {
    if (this.bound.has(name) || this.request.contextNames.has(name)) return false
    return /^(range|dict|namespace|cycler|joiner|debug|caller|super|self)$/.test(name) || this.request.helpers.has(name)
  }

  protected iterable(expr: Expr): string {
    if (expr.kind === 'generator' || expr.kind === 'view' || expr.kind === 'tuple') return expr.raw
    return this.handed(expr, 'soft')
  }

  protected iterated(expr: Expr): string {
    const value = this.iterable(expr)
    if (expr.kind !== 'plain' && expr.kind !== 'soft') return value
    return `(${value} if ${value} is sequence else __c(${this.site(expr.at, expr.end)}, "iterate", [${value}], []))`
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
