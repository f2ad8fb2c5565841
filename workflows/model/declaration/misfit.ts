/** How a value of the wrong type is told, whichever schema found it. */
import { shortened } from '../printable.ts'
import type { YamlPath } from './yaml-source.ts'

/** `nodes[0].ipAddress` */
export const pathText = (path: YamlPath): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text ? `${text}.${shortened(key)}` : shortened(key)
  }, '')

/** Says that `input` is not `text`, `true or false`, `a number`, `a map` or `a list`; the hint is what was likely meant. */
export function misfit(name: string, expected: readonly string[], input: unknown): [message: string, hint?: string] {
  const message = `${name || 'the file'} should be ${expected.join(' or ')}, not ${show(input)}`
  if (expected.includes('true or false') && /^(y|n|yes|no|on|off|true|false)$/i.test(String(input)))
    return [message, 'write true or false without quotes; only YAML 1.1 took yes and on for booleans']
  if (expected.includes('text') && !expected.includes('a number') && typeof input === 'number')
    return [message, `put it in quotes: YAML reads ${show(input)} as a number`]
  return [message]
}

/** A value as it goes into a sentence. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a map'
  return typeof value === 'string' ? `"${shortened(value)}"` : String(value)
}
