import { atOnce } from './shares.ts'

const startsLab = (file: string): boolean => /\.lab(\.full)?\.test\.ts$/.test(file)

/**
 * Which of these files is started next beside those that run: the first, but labs two at a time, and never more than one
 * file besides. Labs wait more than they work, and a third one would make deadlines late.
 */
export function nextFile(queue: readonly string[], running: readonly string[]): string | undefined {
  if (running.length > atOnce) return undefined
  const labs = running.filter(startsLab).length
  return queue.find((file) => labs < atOnce || !startsLab(file))
}
