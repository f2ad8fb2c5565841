/** So many lines from the end of a log tell it from any other; each has a time of its own, to the micro- or millisecond. */
const LINES = 10

/** Fewer of them with a time tell too little: a machine without a battery begins each boot at the same moment. */
const LEAST = 3

const DATED = /\b\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:\d\d\.\d{3}/

/** What is kept of a log to know it again. */
export const endOf = (log: readonly string[]): readonly string[] => log.slice(-LINES)

/** Whether a log is an earlier one that went on, of which this was the end: the machine that wrote both has not booted in between. */
export function goesOn(end: readonly string[], log: readonly string[]): boolean {
  if (end.filter((line) => DATED.test(line)).length < LEAST) return false
  for (let at = log.length - end.length; at >= 0; at--) if (end.every((line, of) => log[at + of] === line)) return true
  return false
}
