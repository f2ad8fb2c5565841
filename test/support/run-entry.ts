/** An entry of workflows/ as a process of its own that a test can watch, signal and wait for while it runs. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import { eventually } from './eventually.ts'
import type { TestLab } from './lab.ts'

const root = join(import.meta.dirname, '..', '..')

// a test that is told to end, as after its limit, ends what it started
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export type Exit = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

export type Running = {
  pid: number
  /** the process itself has ended; what it left behind may still write */
  exited: Promise<Exit>
  /** nothing holds its output open any more: whatever it started in its own group has ended as well */
  closed: Promise<Exit>
  /** what it has printed with `--output json` so far */
  events(): RunEvent[]
  /** resolves to the first event that fits, printed before or later; rejects when its output ends without one */
  said(fits: (event: RunEvent) => boolean): Promise<RunEvent>
  kill(signal: NodeJS.Signals, whom?: 'process' | 'group'): void
}

export type EntryOptions = {
  entry?: VerbName | 'status'
  /** besides `--cluster` and `--dir` */
  flags?: readonly string[]
  /** how it is started; npx starts tsx by way of a shell */
  by?: 'node' | 'npx'
  /** a file that node loads before it */
  preload?: string
  env?: NodeJS.ProcessEnv
}

/** Starts the entry against a lab without a terminal, in a process group of its own, which dies with the test. */
export function startEntry(lab: Pick<TestLab, 'cluster' | 'dir'>, options: EntryOptions = {}): Running {
  const { entry = 'upgrade', flags = ['--output', 'json'], by = 'node', env = process.env, preload } = options
  const loaded = preload === undefined ? [] : ['--import', preload]
  const [program, ...before] =
    by === 'npx' ? ['npx', '--no-install', 'tsx'] : [process.execPath, '--import', 'tsx', ...loaded]
  const argv = [...before, `workflows/${entry}.ts`, '--cluster', lab.cluster, '--dir', lab.dir, ...flags]
  return watchProcess(program, argv, env)
}

/** Starts any program in the same way. */
export function watchProcess(program: string, argv: readonly string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(program, argv, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const pid = child.pid ?? 0
  if (pid === 0) throw new Error(`${program} did not start`)
  const kill = (signal: NodeJS.Signals, whom: 'process' | 'group' = 'process') => {
    try {
      process.kill(whom === 'group' ? -pid : pid, signal)
    } catch {
      // it ended before
    }
  }
  const dieWithUs = () => kill('SIGKILL', 'group')
  process.once('exit', dieWithUs)
  let [stdout, stderr, over] = ['', '', false]
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const untilEvent = (event: 'exit' | 'close') =>
    new Promise<Exit>((resolve, reject) => {
      child.once('error', reject)
      child.once(event, (code, signal) => resolve({ code, signal, stdout, stderr }))
    })
  const exited = untilEvent('exit')
  const closed = untilEvent('close').finally(() => {
    over = true
    process.off('exit', dieWithUs)
  })
  const events = () =>
    stdout
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as RunEvent)
  return {
    pid,
    exited,
    closed,
    events,
    said(fits) {
      const trouble = () => `it never said that:\n${stdout}\n${stderr}`
      const look = () => {
        const found = events().find(fits)
        if (found === undefined && over) throw new Error(trouble())
        return found
      }
      return eventually(look, trouble)
    },
    kill,
  }
}
