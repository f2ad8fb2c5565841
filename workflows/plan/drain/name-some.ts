/** Reasons in one sentence: the first ones, and how many more there are. */
export function nameSome(reasons: readonly string[], named: number): string {
  const more = reasons.length > named ? [`${reasons.length - named} more`] : []
  return [...reasons.slice(0, named), ...more].join('; ')
}
