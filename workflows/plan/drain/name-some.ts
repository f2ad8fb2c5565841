/** What there is in one sentence: the first ones, and how many more there are. */
export function nameSome(all: readonly string[], most: number, between = '; '): string {
  const more = all.length > most ? [`${all.length - most} more`] : []
  return [...all.slice(0, most), ...more].join(between)
}
