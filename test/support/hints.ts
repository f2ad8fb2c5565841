/** Every hint that a Failure is made with, taken from the source: whoever writes a new one finds it held to the same rules. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

/** A text as it is written, with `${…}` where something is filled in. */
export type Hint = {
  at: string
  text: string
  /** it stands where a hint is made, and not anywhere */
  isHint?: boolean
}

const PROGRAMS =
  'talosctl|kubectl|workflows/[\\w-]+\\.ts|node|npm|sops|git|rm|mv|chmod|sudo|mise|pip|unset|echo|ls|df|ulimit|cat|dmesg|ps|date|command|talhelper|age-keygen|terraform|tofu|\\$\\{tool\\}|\\$\\{workflowCommand\\(|\\$\\{(?:AGAIN|APPLY|again|generates|hint|logs|machinedLog|show)\\b'

/** Where a hint comes to what is to be typed: at its beginning, or after the words that lead to it. */
const COMMAND = new RegExp(`(?:^|: )((?:${PROGRAMS}).*)$`)

/** Sentences that begin with the name of a program. */
const SENTENCE =
  /^[\w.-]+ (?:\$\{howEnded\(|(?:can|is|are|made|ended|was|wrote|would|did|does|do|gets|replaces|takes|applies|holds|alone|or|crashed|genschema|output)\b)/

/** The part of a hint that is to be typed; undefined where it is words only. */
export const commandIn = ({ text }: Hint): string | undefined =>
  SENTENCE.test(text) ? undefined : COMMAND.exec(text)?.[1]

/** All texts that stand where a hint is made, and all commands that stand anywhere, since some are made elsewhere. */
export function hintsOfFailures(): Hint[] {
  return ['scripts', 'workflows'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => {
        const source = readFileSync(join(root, folder, name), 'utf8')
        return literals(source)
          .map(({ line, before, text }) => ({ at: `${folder}/${name}:${line}`, before, text }))
          .filter((hint) => isHint(hint.before) || /^\w+ \S/.test(commandIn(hint) ?? ''))
          .map(({ at, before, text }) =>
            isHint(before) && text.includes(' ')
              ? { at, text: text.replaceAll(/\n\s*/g, ''), isHint: true }
              : { at, text },
          )
      }),
  )
}

/** `hint: x`, `const hint = x`, and both ways of `hint: is ? x : y`. */
const isHint = (before: string): boolean => /\bhint(:| =)[^,;{}`'"]*$/.test(before)

type Literal = { line: number; before: string; text: string }

/** The string literals and templates of a source, with what stands before each. Comments and regular expressions are passed over. */
function literals(source: string): Literal[] {
  const found: Literal[] = []
  const closing = (from: number, quote: string): number => {
    for (let at = from; at < source.length; at++) {
      if (source[at] === '\\') at++
      else if (source[at] === quote) return at
      else if (quote === '`' && source.startsWith('${', at)) at = closingBrace(at + 2)
    }
    return source.length
  }
  const closingBrace = (from: number): number => {
    for (let at = from; at < source.length; at++) {
      const sign = source[at] ?? ''
      if (sign === '}') return at
      if (sign === '{') at = closingBrace(at + 1)
      else if (`'"\``.includes(sign)) at = closing(at + 1, sign)
    }
    return source.length
  }
  for (let at = 0; at < source.length; at++) {
    const sign = source[at] ?? ''
    const rest = source.slice(at)
    const before = source.slice(0, at)
    if (rest.startsWith('//') || rest.startsWith('/*')) {
      at = source.indexOf(rest.startsWith('//') ? '\n' : '*/', at + 2)
    } else if (sign === '/' && /(?:[(,=:[!&|?{};]|=>|return)\s*$/.test(before)) {
      at += /^\/(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\[])+\//.exec(rest)?.[0].length ?? 1
    } else if (`'"\``.includes(sign)) {
      const end = closing(at + 1, sign)
      const text = source.slice(at + 1, end).replaceAll("\\'", "'")
      found.push({ line: before.split('\n').length, before: before.slice(-200), text })
      at = end
    }
  }
  return found
}
