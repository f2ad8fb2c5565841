/** Finds the tools that the project drives, and builds the missing ones: `npm run tools [-- --check] [names]`. */
import { parseArgs } from 'node:util'
import { findTool } from './find-tool.ts'
import { resolveTool } from './resolve-tool.ts'
import { createToolProgress } from './tool-progress.ts'
import { type ToolName, toolTable } from './tool-table.ts'

const names = Object.keys(toolTable) as ToolName[]

const usage = `Usage: npm run tools [-- [--check] [${names.join(' | ')}] …]

Finds the tools in a version that fits, and builds with Go what is missing.

  --check   only reports; starts no build
  --help    prints this

Exit codes: 0 all there (those that can be done without aside), 64 wrong usage, 69 one is missing.
`

/** A tool by its name; all its minor versions by the name of the program. */
const called = (text: string): ToolName[] => names.filter((name) => name === text || toolTable[name].program === text)

function parse(): { check: boolean; help: boolean; wanted: ToolName[] } | string {
  try {
    const options = { check: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    const unknown = positionals.find((name) => called(name).length === 0)
    if (unknown !== undefined) return `${unknown} is none of the tools: ${names.join(', ')}`
    return { ...values, wanted: positionals.length > 0 ? positionals.flatMap(called) : names }
  } catch (error) {
    return (error as Error).message
  }
}

async function run(): Promise<number> {
  const parsed = parse()
  if (typeof parsed === 'string') {
    process.stderr.write(`${parsed}\n\n${usage}`)
    return 64
  }
  if (parsed.help) {
    process.stdout.write(usage)
    return 0
  }
  const interrupted = new AbortController()
  let exitCode = 0
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => {
      exitCode = code
      interrupted.abort()
    })
  const progress = createToolProgress(process.stderr)
  for (const name of parsed.wanted) {
    try {
      const result = await progress.follow(name, (report) =>
        parsed.check ? findTool(name) : resolveTool(name, { signal: interrupted.signal, report }),
      )
      if (!result.found && !toolTable[name].optional) exitCode = 69
    } catch (error) {
      if (interrupted.signal.aborted) break
      throw error
    }
  }
  return exitCode
}

process.exitCode = await run()
