/**
 * Cuts a template into text and tags, and the inside of a tag into tokens, by the rules of Jinja2's own lexer with its
 * default delimiters. Only what has to be known to judge a template and to word it for minijinja; nothing is rendered.
 */

export type Segment =
  | { kind: 'text'; at: number; text: string }
  | { kind: 'comment'; at: number; text: string }
  /** the text of the two tags and of what stands between them */
  | { kind: 'raw'; at: number; open: string; body: string; close: string }
  | {
      kind: 'output' | 'block'
      at: number
      /** `{{`, `{%-`, `{%+` … */
      open: string
      close: string
      tokens: Token[]
      /** everything from the first to the last delimiter */
      text: string
    }

export type Token = { kind: 'name' | 'string' | 'integer' | 'float' | 'operator' | 'end'; at: number; text: string }

/** A template that ends in the middle of something, or a character that Jinja has no use for. */
export class TemplateSyntaxError extends Error {
  readonly at: number
  readonly hint: string | undefined
  constructor(at: number, message: string, hint?: string) {
    super(message)
    this.at = at
    this.hint = hint
  }
}

const TOKEN =
  /\s+|(?<float>\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?<integer>0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*)|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<operator>\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=.,:|()[\]{};])/suy

/** The segments of `source` in order; throws a TemplateSyntaxError. */
export function lexTemplate(source: string): Segment[] {
  const segments: Segment[] = []
  let at = 0
  while (at < source.length) {
    const next = /\{[{%#]/g
    next.lastIndex = at
    const found = next.exec(source)
    const start = found?.index ?? source.length
    if (start > at) segments.push({ kind: 'text', at, text: source.slice(at, start) })
    if (!found) break
    at = start
    if (found[0] === '{#') {
      const end = source.indexOf('#}', start + 2)
      if (end < 0)
        throw new TemplateSyntaxError(start, "unexpected end of template; expected '#}' to close the comment")
      segments.push({ kind: 'comment', at, text: source.slice(start, end + 2) })
      at = end + 2
      continue
    }
    const raw = lexRaw(source, start)
    if (raw) {
      segments.push(raw)
      at = start + raw.open.length + raw.body.length + raw.close.length
      continue
    }
    const tag = lexTag(source, start)
    segments.push(tag)
    at = start + tag.text.length
  }
  return segments
}

function lexRaw(source: string, start: number): (Segment & { kind: 'raw' }) | undefined {
  const opening = /\{%[-+]?\s*raw\s*-?%\}/y
  opening.lastIndex = start
  const open = opening.exec(source)?.[0]
  if (open === undefined) return undefined
  const closing = /\{%[-+]?\s*endraw\s*[-+]?%\}/g
  closing.lastIndex = start + open.length
  const close = closing.exec(source)
  if (!close) throw new TemplateSyntaxError(start, "unexpected end of template; expected endraw to close 'raw'")
  return { kind: 'raw', at: start, open, body: source.slice(start + open.length, close.index), close: close[0] }
}

function lexTag(source: string, start: number): Segment & { kind: 'output' | 'block' } {
  const kind = source.startsWith('{{', start) ? 'output' : 'block'
  const end = kind === 'output' ? '}}' : '%}'
  const open = source.slice(start, start + 2) + (/[-+]/.exec(source[start + 2] ?? '')?.[0] ?? '')
  const tokens: Token[] = []
  const brackets: { at: number; text: string }[] = []
  let at = start + open.length
  for (;;) {
    while (/\s/.test(source[at] ?? '')) at++
    if (brackets.length === 0) {
      const closing = [`-${end}`, ...(kind === 'block' ? [`+${end}`] : []), end].find((text) =>
        source.startsWith(text, at),
      )
      if (closing !== undefined) {
        tokens.push({ kind: 'end', at, text: closing })
        return { kind, at: start, open, close: closing, tokens, text: source.slice(start, at + closing.length) }
      }
    }
    TOKEN.lastIndex = at
    const match = TOKEN.exec(source)
    if (at >= source.length)
      throw new TemplateSyntaxError(start, `unexpected end of template; expected '${end}' to close the tag`)
    if (!match) {
      const character = String.fromCodePoint(source.codePointAt(at) ?? 0)
      throw new TemplateSyntaxError(
        at,
        /['"]/.test(character) ? 'this string is never closed' : `unexpected character ${character}`,
      )
    }
    const [text] = match
    const tokenKind = (['float', 'integer', 'name', 'string', 'operator'] as const).find((name) => match.groups?.[name])
    if (tokenKind) {
      tokens.push({ kind: tokenKind, at, text })
      if (tokenKind === 'operator' && /[([{]/.test(text)) brackets.push({ at, text })
      if (tokenKind === 'operator' && /[)\]}]/.test(text)) {
        const opened = brackets.pop()
        const partner = { '(': ')', '[': ']', '{': '}' }[opened?.text ?? ''] ?? end
        if (partner !== text) throw new TemplateSyntaxError(at, `unexpected '${text}'; expected '${partner}'`)
      }
    }
    at += text.length
  }
}
