import type { BuildEvent } from './build-tool.ts'
import type { ToolSearch } from './find-tool.ts'
import type { ToolName } from './tool-table.ts'

/** What the progress of tools is written to; `process.stderr` is one. */
export type ProgressStream = { write(text: string): unknown; isTTY?: boolean; columns?: number }

const redrawMs = 1_000
const quietBelowMs = 5_000

/**
 * One line per tool while it is looked for and built: redrawn with the elapsed time on a terminal, elsewhere one line
 * when a build starts and one when it ends. `follow` takes the work and hands it what to report to.
 */
export function createToolProgress(stream: ProgressStream) {
  const rewrite = (text: string): void => void stream.write(`\r\x1b[K${text.slice(0, (stream.columns ?? 80) - 1)}`)

  return {
    async follow(
      tool: ToolName,
      work: (report: (event: BuildEvent) => void) => Promise<ToolSearch>,
    ): Promise<ToolSearch> {
      const startedAt = performance.now()
      let last: BuildEvent | undefined
      const draw = (): void => {
        if (last) rewrite(`${name(tool)} ${last.doing} ${elapsed(startedAt)}  ${last.detail}`)
      }
      const redraw = stream.isTTY ? setInterval(draw, redrawMs) : undefined
      try {
        const result = await work((event) => {
          if (!stream.isTTY && last?.doing !== event.doing)
            stream.write(`${name(tool)} ${event.doing} ${event.detail}\n`)
          last = event
        })
        if (stream.isTTY) rewrite('')
        stream.write(
          `${closingLine(result, performance.now() - startedAt >= quietBelowMs ? elapsed(startedAt) : '')}\n`,
        )
        return result
      } finally {
        clearInterval(redraw)
      }
    },
  }
}

function closingLine(result: ToolSearch, took: string): string {
  if (!result.found) return `${name(result.name)} missing: ${result.detail}\n${name('')} try: ${result.hint}`
  const from = {
    environment: 'named by the environment',
    PATH: 'from PATH',
    mise: 'installed by mise',
    cache: 'built before',
    build: 'built',
  }
  return [name(result.name), result.version.padEnd(8), from[result.source], took && `in ${took}`, ` ${result.path}`]
    .filter(Boolean)
    .join(' ')
}

const name = (tool: string): string => tool.padEnd(13)

const elapsed = (since: number): string => `${Math.round((performance.now() - since) / 1000)} s`
