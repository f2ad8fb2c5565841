const key = '[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?'
const value = '[-A-Za-z0-9_.]*'

const forms: readonly [form: RegExp, opposite: (key: string, values: string) => string][] = [
  [new RegExp(`^(?<key>${key})\\s*!=\\s*(?<value>${value})$`), (k, v) => `${k}=${v}`],
  [new RegExp(`^(?<key>${key})\\s*==?\\s*(?<value>${value})$`), (k, v) => `${k}!=${v}`],
  [new RegExp(`^(?<key>${key})\\s+in\\s+\\((?<value>[^()]+)\\)$`), (k, v) => `${k} notin (${v})`],
  [new RegExp(`^(?<key>${key})\\s+notin\\s+\\((?<value>[^()]+)\\)$`), (k, v) => `${k} in (${v})`],
  [new RegExp(`^!\\s*(?<key>${key})$`), (k) => k],
  [new RegExp(`^(?<key>${key})$`), (k) => `!${k}`],
]

/** One requirement of a label selector, and its opposite in the words of `kubectl drain --pod-selector`. */
export type SkipSelector = {
  /** selects the pods that are to be evicted */
  evicts: string
  skips: (labels: Readonly<Record<string, string>>) => boolean
}

/**
 * Reads `drain.skip`: the pods that stay. kubectl takes the opposite, which exists for a single requirement only;
 * undefined for anything else.
 */
export function skipSelector(text: string): SkipSelector | undefined {
  for (const [form, opposite] of forms) {
    const groups = form.exec(text.trim())?.groups
    if (groups === undefined) continue
    const { key: name = '', value: given = '' } = groups
    const values = given.split(',').map((item) => item.trim())
    const isNegated = text.includes('!=') || /\bnotin\b/.test(text)
    const isAbsent = text.trim().startsWith('!')
    const hasValues = groups.value !== undefined
    return {
      evicts: opposite(name, given),
      skips: (labels) => {
        const own = labels[name]
        if (!hasValues) return isAbsent ? own === undefined : own !== undefined
        const isAmong = own !== undefined && values.includes(own)
        return isNegated ? !isAmong : isAmong
      },
    }
  }
  return undefined
}
