/**
 * Starts the tools: the only importer of zx. A command is data, its result is data, and nothing here throws because a
 * tool failed. Why not zx alone: its abort leaves the tool running under pid 1, its kill needs `ps`, its timeout never
 * escalates.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { $, quote } from 'zx/core'
import { failureOfDisk } from './disk/on-disk.ts'
import { replaceFile } from './disk/replace-file.ts'
import { onAbort } from './engine/on-abort.ts'
import { processNote } from './engine/process-note.ts'
import { findShell } from './toolchain/find-shell.ts'
import type { ToolProgram } from './toolchain/tool-table.ts'
import type { Ended } from './tools/ended.ts'

/** What can be started: the tools, and what comes with the system and is found on PATH. */
export type Program = ToolProgram | 'git' | 'python3' | 'sh' | 'terraform' | 'tofu'

/** One call of a tool, as data: what a dry run would print is what runs. */
export type Command = {
  tool: Program
  argv: readonly string[]
  /** given on standard input, which is closed after it; secrets go here, never into argv */
  stdin?: string | undefined
  /** the tool is given the name of a pipe that holds it, as its last argument: secrets need no file for a tool that wants one */
  stdinIsFile?: true
  timeoutMs: number
  /** it changes something in the world; nothing repeats such a command by itself */
  mutates: boolean
}

export type CommandResult = {
  stdout: string
  stderr: string
  ended: Ended
}

export type RunOptions = {
  signal?: AbortSignal | undefined
  /** each line of standard output as it comes; of an uninterruptible command when it has ended */
  onLine?: (line: string) => void
  /** each line of standard error as it comes; not of an uninterruptible command */
  onErrorLine?: (line: string) => void
  /** gets the pid, which is also the process group, and whose it is, before the tool starts; the caller removes the file */
  processFile?: string | undefined
  /**
   * Once started it is never signalled by us, and it outlives us: its output goes to files, because the first write to
   * a pipe whose reader died would kill it. After `timeoutMs` the result says so and the process is left alone.
   */
  uninterruptible?: boolean
  /** It has ended when its own process has, whatever that put into the background and left its output to. */
  endsAlone?: boolean
}

export type Run = (command: Command, options?: RunOptions) => Promise<CommandResult>

/** Process groups that end with us; uninterruptible ones are never among them. */
const groups = new Set<number>()
process.on('exit', () => {
  if (groups.size === 0) return
  for (const group of groups) kill(group, 'SIGTERM')
  // nothing can be watched any more, and nobody else would end those that ignore it
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_GRACE_MS)
  for (const group of groups) kill(group, 'SIGKILL')
})

/** between SIGTERM and SIGKILL of what still runs when we end */
const LAST_GRACE_MS = 200

/** What the tools may see of our environment: no ZX_*, BASH_ENV or token that happens to be exported. */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY|https?_proxy|no_proxy)$/

/** How SOPS finds the keys of age, PGP, the clouds and Vault. Only what decrypts sees it. */
const KEYS = /^((SOPS|AWS|AZURE|GOOGLE|VAULT)_\w+|GNUPGHOME|GPG_TTY)$/
const DECRYPTING: ReadonlySet<Program> = new Set(['sops', 'talhelper'])

/** How Terraform finds its state and may read it: its own variables, and those of the backends that exist. */
const STATE =
  /^((TF|TFE|TG|TERRAGRUNT|CHECKPOINT|AWS|AZURE|ARM|GOOGLE|CLOUDSDK|CONSUL|VAULT|KUBE|OS|OCI|ALICLOUD|ALIBABA_CLOUD|TENCENTCLOUD|HCP|PG)_\w+|PG[A-Z]+|KUBECONFIG)$/
const STATEFUL: ReadonlySet<Program> = new Set(['terraform', 'tofu'])

/**
 * A `Run` that starts the programs at `paths` in process groups of their own.
 * `graceMs` is the time between SIGTERM and SIGKILL of a command that is aborted or late.
 * `keys` are variables for sops and talhelper alone, and win over those of `env`: where the age identity is.
 * `cwd` is where they run; paths in their arguments are read from there. `onStart` hears of each that was started.
 */
export function createRun({
  paths,
  env,
  keys = {},
  cwd = process.cwd(),
  graceMs = 3000,
  onStart = () => {},
}: {
  paths: Readonly<Partial<Record<Program, string>>>
  env: Readonly<Record<string, string | undefined>>
  keys?: Readonly<Record<string, string>>
  cwd?: string
  graceMs?: number
  onStart?: (tool: Program) => void
}): Run {
  const of = (names: RegExp) =>
    Object.fromEntries(Object.entries(env).filter(([name, value]) => names.test(name) && value !== undefined))
  // Node's pipes are sockets, and a bash on a socket reads ~/.bashrc unless it believes to be inside another shell.
  const shown = { ...of(PASSED_ON), SHLVL: '1' }
  // Where there is none, whoever looked for the tools has said so.
  const bash = findShell(env)
  // Explicit to the last option: ZX_* variables change zx' defaults when it is imported.
  const shell = $({
    shell: bash.ok ? bash.value : 'bash',
    // zx sets these itself only if its import found a bash on our own PATH.
    quote,
    prefix: '',
    postfix: '',
    env: shown,
    cwd,
    detached: true,
    nothrow: true,
    quiet: true,
    verbose: false,
    preferLocal: false,
    timeout: 0,
    log: () => {},
  })
  const decryptingShell = shell({ env: { ...shown, ...of(KEYS), ...keys } })
  const statefulShell = shell({ env: { ...shown, ...of(STATE) } })

  return async (command, { signal, onLine, onErrorLine, processFile, uninterruptible = false, endsAlone } = {}) => {
    if (signal?.aborted) return { stdout: '', stderr: '', ended: { by: 'abort' } }
    const path = paths[command.tool] ?? command.tool
    const argv = [path, ...command.argv]
    // zx would pass on the word "undefined".
    if (argv.some((arg) => typeof arg !== 'string')) throw new TypeError(`${command.tool}: an argument is not a string`)

    const sh = DECRYPTING.has(command.tool) ? decryptingShell : STATEFUL.has(command.tool) ? statefulShell : shell
    const output = uninterruptible ? openOutput(processFile) : undefined
    // The shell waits for a line before it becomes the tool: if we die before the pid is on file, it reads the end of
    // its input and nothing was started.
    const child = output
      ? sh`read -r _ && exec ${argv} >${output.stdout} 2>${output.stderr}`
      : command.stdinIsFile
        ? sh`read -r _ && exec ${argv} <(PATH="$PATH:/usr/bin:/bin" cat)`
        : sh`read -r _ && exec ${argv}`
    const pid = child.pid
    if (pid === undefined) {
      // bash itself could not be started.
      const { stdout, stderr, cause } = await child
      output?.remove()
      const why = failureOfDisk(cause)
      return { stdout, stderr, ended: why ? { by: 'nothing', why } : { by: 'exit', code: 127 } }
    }
    if (!uninterruptible) groups.add(pid)
    onStart(command.tool)

    let stopped: 'abort' | 'deadline' | undefined
    let grace: NodeJS.Timeout | undefined
    const stop = (reason: 'abort' | 'deadline') => {
      if (stopped) return
      stopped = reason
      kill(pid, 'SIGTERM')
      grace = setTimeout(() => kill(pid, 'SIGKILL'), graceMs)
    }
    const hearNoMore = uninterruptible ? undefined : onAbort(signal, () => stop('abort'))
    let deadline: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      const pass = () => (uninterruptible ? resolve('late') : stop('deadline'))
      deadline = setTimeout(pass, Math.min(command.timeoutMs, 2 ** 31 - 1))
    })

    try {
      // A tool that ends without reading its input breaks the pipe; that is its right.
      child.stdin.on('error', () => {})
      const lines = onLine && !output ? createInterface({ input: child.stdout }).on('line', onLine) : undefined
      const errorLines =
        onErrorLine && !output ? createInterface({ input: child.stderr }).on('line', onErrorLine) : undefined
      // durable: a crash of the machine right after must not have started a tool that no file tells of
      if (processFile !== undefined) replaceFile(processFile, processNote(pid), 0o600)
      child.stdin.end(`\n${command.stdin ?? ''}`)
      // all that it wrote itself is in its pipes by now, and one turn of the loop reads what is there
      if (endsAlone) child.child?.once('exit', () => setImmediate(() => endOfOutput(child)))

      const result = await Promise.race([child, late])
      lines?.close()
      errorLines?.close()
      if (result === 'late') {
        child.child?.unref()
        return {
          stdout: output?.read('stdout') ?? '',
          stderr: output?.read('stderr') ?? '',
          ended: { by: 'deadline' },
        }
      }
      const stdout = output ? output.read('stdout') : result.stdout
      const stderr = output ? output.read('stderr') + result.stderr : result.stderr
      if (output && onLine) for (const line of stdout.split('\n').slice(0, -1)) onLine(line)
      output?.remove()
      if (stopped) return { stdout, stderr, ended: { by: stopped } }
      const { signal, exitCode } = result
      // zx knows neither of a shell that broke while it started
      return { stdout, stderr, ended: signal ? { by: 'signal', signal } : { by: 'exit', code: exitCode ?? 127 } }
    } catch (error) {
      // The process file could not be written: the shell still waits for its line, so nothing was started.
      kill(pid, 'SIGKILL')
      output?.remove()
      throw error
    } finally {
      clearTimeout(deadline)
      clearTimeout(grace)
      hearNoMore?.()
      groups.delete(pid)
    }
  }
}

function endOfOutput({ stdout, stderr }: { stdout: Readable; stderr: Readable }): void {
  for (const output of [stdout, stderr]) if (!output.readableEnded) output.push(null)
}

function kill(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // Everyone in it is gone.
  }
}

/** Files for the output of a command that must survive us: beside the process file, else in a folder of their own. */
function openOutput(processFile: string | undefined) {
  const folder = processFile === undefined ? mkdtempSync(join(tmpdir(), 'talos-workflows-')) : undefined
  const base = processFile ?? join(folder ?? '', 'command')
  const files = { stdout: `${base}.stdout`, stderr: `${base}.stderr` }
  for (const file of Object.values(files)) closeSync(openSync(file, 'w', 0o600))
  return {
    ...files,
    read: (name: 'stdout' | 'stderr') => (existsSync(files[name]) ? readFileSync(files[name], 'utf8') : ''),
    remove: () => {
      for (const file of Object.values(files)) rmSync(file, { force: true })
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}
