import type { Problem } from '../../workflows/model/problem.ts'
import type { RenderedFile } from './render-config.ts'

/** Says of each problem in a rendered file which line of a template the line came from. */
export async function withOrigin(problems: readonly Problem[], { origin }: RenderedFile): Promise<Problem[]> {
  if (origin === undefined) return [...problems]
  return Promise.all(
    problems.map(async (problem) => {
      const from = await origin(problem.line)
      if (from === undefined) return problem
      const place = `from ${from.path}:${from.line}`
      return { ...problem, hint: problem.hint === undefined ? place : `${problem.hint}; ${place}` }
    }),
  )
}
