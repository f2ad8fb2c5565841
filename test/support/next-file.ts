import { atOnce } from './shares.ts'

const startsLab = (file: string): boolean => /\.lab(\.full)?\.test\.ts$/.test(file)

/**
 * Which of these files is started next beside those that run: the first, but labs two at a time, and two of the others.
 * Labs wait more than they work, and so do those that try how long somebody may be silent; a third lab would make deadlines
 * late.
 */
export function nextFile(queue: readonly string[], running: readonly string[]): string | undefined {
  const labs = running.filter(startsLab).length
  return queue.find((file) => (startsLab(file) ? labs : running.length - labs) < atOnce)
}
