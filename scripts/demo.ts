/**
 * `npm run demo`: the example cluster from its declaration to an upgraded lab, by the commands that a person would type.
 * Whatever happens, the lab is taken down at the end; exits with the code of the first command that failed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { failureOfDisk } from './disk/on-disk.ts'
import { runFolder, runNames } from './engine/run-folder.ts'
import { resolveTool } from './toolchain/resolve-tool.ts'
import { createToolProgress } from './toolchain/tool-progress.ts'
import { failureText } from './view/failure-text.ts'

const cluster = '101'
const root = join(import.meta.dirname, '..')
const stopDeadlineMs = 120_000
const lookAgainMs = 100
const startedAt = performance.now()

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const interrupted = new AbortController()
let running: ChildProcess | undefined
let signalExitCode: number | undefined

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => {
    signalExitCode ??= exitCode
    interrupted.abort()
    // To the whole group, because npx does not pass SIGTERM on to what it started.
    if (running?.pid !== undefined) process.kill(-running.pid, signal)
  })

/** Runs a command as it would be typed, without a person to ask; resolves to its exit code. */
async function type(script: string, argv: string[], { quiet = false } = {}): Promise<number> {
  const words = ['tsx', `workflows/${script}.ts`, ...argv, '--cluster', cluster]
  if (!quiet) say(`\n$ npx ${words.join(' ')}`)
  const output = quiet ? 'ignore' : 'inherit'
  const child = spawn('npx', words, { cwd: root, detached: true, stdio: ['ignore', output, output] })
  running = child
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => resolve(code ?? 1))
    })
    await groupEnded(child.pid)
    return exitCode
  } finally {
    running = undefined
  }
}

/** A signal ends npx at once and the workflow at its next safe point: taking the lab down before would spoil that. */
async function groupEnded(group: number | undefined): Promise<void> {
  const deadline = performance.now() + stopDeadlineMs
  while (group !== undefined && performance.now() < deadline) {
    try {
      process.kill(-group, 0)
    } catch {
      return
    }
    await pause(lookAgainMs)
  }
}

const needed = [
  'talosctl-1.13',
  'talosctl-1.14',
  'talhelper',
  'sops',
  'age-keygen',
  'etcd-3.6',
  'etcd-3.7',
  'kubectl',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
] as const

/** True when the tools of the lab are there. */
async function tools(): Promise<boolean> {
  const progress = createToolProgress(process.stderr)
  for (const name of needed) {
    const tool = await progress.follow(name, (report) => resolveTool(name, { signal: interrupted.signal, report }))
    if (!tool.found) return false
  }
  return true
}

/** A new lab is a new world: a run that was interrupted in the last one must not be carried on in it. */
function forgetEarlierRuns(): void {
  const runs = runFolder(join(root, 'clusters', `cluster-${cluster}`))
  for (const name of runNames(runs)) rmSync(join(runs, name), { recursive: true })
}

type Scene = [script: string, argv: string[]]

const scenes: Scene[] = [
  ['status', ['--drain']],
  ['upgrade', []],
  ['status', ['--drain']],
  ['lab', ['check']],
]

/** One command after the other; resolves to the first exit code that is not 0. */
async function inTurn(scenes: readonly Scene[]): Promise<number> {
  for (const [script, argv] of scenes) {
    const exitCode = await type(script, argv)
    if (exitCode !== 0 || interrupted.signal.aborted) return exitCode
  }
  return 0
}

async function demo(): Promise<number> {
  if (!(await tools())) return 69
  if ((await type('lab', ['status'], { quiet: true })) === 0) {
    say(`The lab of cluster ${cluster} is up already: npx tsx workflows/lab.ts down --cluster ${cluster}`)
    return 75
  }
  if (interrupted.signal.aborted) return 1
  forgetEarlierRuns()
  const up = await inTurn([
    // in the checkout, so that the demo leaves nothing behind elsewhere
    ['init', ['--age-key', join(root, 'age.key')]],
    ['gen-config', []],
    ['lab', ['up']],
  ])
  const shown = up === 0 && !interrupted.signal.aborted ? await inTurn(scenes) : up
  const down = await type('lab', ['down'])
  return shown || down
}

const exitCode = await demo().catch((error: Error) => {
  const why = failureOfDisk(error)
  if (why) say(failureText(why))
  if (!why && !interrupted.signal.aborted) throw error
  return 1
})
process.exitCode = signalExitCode ?? exitCode
say(`\nThe demo took ${Math.round((performance.now() - startedAt) / 1000)} s and exits with ${process.exitCode}`)
