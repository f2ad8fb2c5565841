import { TemplateSyntaxError, type Token } from './lex-template.ts'
import type { Refusal, TranslateRequest } from './translate-request.ts'

/** The way out that there always is. */
export const otherEngine = '`engine: jinja2` in operations.yaml renders it'

/** Goes through the tokens of one tag after the other, and collects what minijinja is not to be given. */
export class TagReader {
  readonly request: TranslateRequest
  readonly refusals: Refusal[] = []
  protected tokens: Token[] = []
  protected position = 0

  constructor(request: TranslateRequest) {
    this.request = request
  }

  protected peek(): Token {
    return this.tokens[this.position] ?? { kind: 'end', at: this.request.source.length, text: '' }
  }

  protected next(): Token {
    const token = this.peek()
    this.position += 1
    return token
  }

  protected is(...texts: string[]): boolean {
    return (this.peek().kind === 'name' || this.peek().kind === 'operator') && texts.includes(this.peek().text)
  }

  protected skip(text: string): boolean {
    if (!this.is(text)) return false
    this.position += 1
    return true
  }

  protected expect(text: string): Token {
    if (this.is(text)) return this.next()
    throw this.unexpected(`'${text}'`)
  }

  protected name(): Token {
    if (this.peek().kind !== 'name') throw this.unexpected('a name')
    return this.next()
  }

  protected end(): void {
    if (this.peek().kind !== 'end') throw this.unexpected('the end of the tag')
  }

  protected unexpected(wanted: string): TemplateSyntaxError {
    const { kind, at, text } = this.peek()
    return new TemplateSyntaxError(
      at,
      `unexpected ${kind === 'end' ? 'end of the tag' : `'${text}'`}; expected ${wanted}`,
    )
  }

  /** Without a hint the way out is the other engine; where that would not help either it is ''. */
  protected refuse(at: number, message: string, hint = otherEngine): void {
    if (!this.refusals.some((refusal) => refusal.at === at && refusal.message === message))
      this.refusals.push({ at, message, ...(hint && { hint }) })
  }
}
