/** python3 with jinja2, which the engines are held against: the machine's own, else one in the cache of the tools. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createRun, type Run } from '../../scripts/run.ts'
import { acquireBuildLock } from '../../scripts/toolchain/build-lock.ts'
import { toolCache } from '../../scripts/toolchain/tool-cache.ts'
import { isDone } from '../../scripts/tools/ended.ts'

const requirements = join(import.meta.dirname, '..', '..', 'scripts', 'toolchain', 'jinja2', 'requirements.txt')
const minute = 60_000

export type OracleCase = {
  files: Record<string, string>
  path: string
  context: unknown
  trimBlocks: boolean
  lstripBlocks: boolean
  keepTrailingNewline: boolean
  undefined: 'strict' | 'chainable' | 'default'
}

export type OracleAnswer = { text: string } | { error: string }

/** A `Run` whose python3 has jinja2 and PyYAML. Built once, by whichever of several processes comes first. */
export async function runWithJinja2(env: NodeJS.ProcessEnv = process.env): Promise<Run> {
  const own = createRun({ paths: {}, env })
  if (env.JINJA2_FROM !== 'requirements' && (await works(own))) return own
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(toolCache(env), `jinja2-${hash}`)
  const ready = createRun({ paths: { python3: join(folder, 'venv', 'bin', 'python3') }, env })
  const mark = join(folder, 'complete')
  if (existsSync(mark)) return ready
  mkdirSync(folder, { recursive: true })
  const release = await acquireBuildLock(folder, { signal: AbortSignal.timeout(5 * minute), onWait: () => {} })
  try {
    if (existsSync(mark)) return ready
    const venv = join(folder, 'venv')
    rmSync(venv, { recursive: true, force: true })
    await must(own, ['-m', 'venv', venv])
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
    await must(ready, [
      '-m',
      'pip',
      'install',
      ...quiet,
      '--require-hashes',
      '--only-binary',
      ':all:',
      '-r',
      requirements,
    ])
    mkdirSync(`${mark}.new`, { recursive: true })
    renameSync(`${mark}.new`, mark)
    return ready
  } finally {
    release()
  }
}

const works = async (run: Run): Promise<boolean> => isDone(await python(run, ['-c', 'import jinja2, yaml']))

const python = (run: Run, argv: string[], stdin?: string) =>
  run({ tool: 'python3', argv, timeoutMs: 3 * minute, mutates: false, ...(stdin !== undefined && { stdin }) })

async function must(run: Run, argv: string[]): Promise<void> {
  const answer = await python(run, argv)
  if (!isDone(answer)) throw new Error(`python3 ${argv.slice(0, 3).join(' ')} failed: ${answer.stderr}`)
}

/** What plain jinja2 makes of the templates, all in one process. */
export async function askOracle(run: Run, cases: readonly OracleCase[]): Promise<OracleAnswer[]> {
  const answer = await python(run, [join(import.meta.dirname, 'jinja2-oracle.py')], JSON.stringify(cases))
  if (!isDone(answer)) throw new Error(`the oracle failed: ${answer.stderr}`)
  return JSON.parse(answer.stdout) as OracleAnswer[]
}
