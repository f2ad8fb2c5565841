// limit: 600 s
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { acquireLock } from '../../scripts/engine/lock.ts'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { builtToolPath } from '../../scripts/toolchain/tool-cache.ts'
import { toolTable } from '../../scripts/toolchain/tool-table.ts'
import { eventually } from '../support/eventually.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { startEntry, watchProcess } from '../support/run-entry.ts'

const test = suite('unattended, and at a terminal')
const root = join(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'unattended-'))
const terminals: ChildProcess[] = []
let lab: TestLab

test.before(async () => {
  lab = await startLab()
})
test.after(async () => {
  for (const terminal of terminals) if (terminal.pid) terminal.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
  await lab.down()
})

/** Everything that was done to a node since line `from` of the log. */
const changes = (from: number): LoggedEvent[] =>
  lab
    .log()
    .slice(from)
    .filter(({ type }) => /^(pull|install|reboot|machine)\./.test(type))

/** All that runs left behind, by path. */
const leftBehind = (): string[] =>
  (readdirSync(lab.clusterDir, { recursive: true }) as string[])
    .filter((path) => !path.startsWith(join('.run', 'lab')))
    .sort()

type Typed = { code: number | null; shown: string; log: string }

/**
 * Runs the upgrade on a terminal of its own with its results piped into a file by tee, and types `keys` when it asks.
 * `script` (util-linux) lends the terminal.
 */
async function atTerminal(keys: string, flags: readonly string[] = []): Promise<Typed> {
  const log = join(scratch, `${terminals.length}.log`)
  const entry = [process.execPath, '--import', 'tsx', 'workflows/upgrade.ts']
  const words = [...entry, '--cluster', lab.cluster, '--dir', lab.dir, ...flags]
  const line = `set -o pipefail; ${words.map((word) => `'${word}'`).join(' ')} | tee '${log}'`
  const terminal = spawn('script', ['-qec', `bash -c "${line}"`, '/dev/null'], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, CI: '' },
  })
  terminals.push(terminal)
  let shown = ''
  terminal.stdout?.setEncoding('utf8').on('data', (text: string) => (shown += text))
  let code: number | null | undefined
  const ended = once(terminal, 'close').then(([status]) => {
    code = status as number | null
  })
  const trouble = () => `it never asked:\n${shown}`
  const look = () => {
    if (code !== undefined) throw new Error(trouble())
    return shown.includes('Go ahead?') || undefined
  }
  await eventually(look, trouble)
  terminal.stdin?.write(keys)
  await ended
  return { code: code ?? null, shown, log: readFileSync(log, 'utf8') }
}

test('a dry run prints the plan, exits 2, takes no lock and writes nothing', async () => {
  const before = leftBehind()
  const from = lab.log().length
  const { code, stdout, stderr } = await startEntry(lab, { flags: ['--dry-run'] }).closed
  assert.is(code, 2, stderr)
  for (const node of ['k8s-1', 'k8s-2', 'k8s-3'])
    assert.match(stdout, new RegExp(`${node}.*v1\\.13\\.5 to v1\\.13\\.9`))
  assert.equal(leftBehind(), before)
  assert.equal(changes(from), [])
})

test('a dry run of a refused upgrade exits 77 and says why', async () => {
  const { code, stderr } = await startEntry(lab, { flags: ['--dry-run', '--to', 'v1.13.2'] }).closed
  assert.is(code, 77, stderr)
  assert.match(stderr, 'k8s-1: v1.13.2 is older than v1.13.5, which runs')
})

test('a dry run does not mind that a run holds the lock; a run exits 75 and names the holder', async () => {
  const folder = join(lab.clusterDir, '.run')
  mkdirSync(folder, { recursive: true })
  const locked = acquireLock(folder, 'another upgrade')
  assert.ok(locked.ok)
  const from = lab.log().length
  const [rehearsal, run] = await Promise.all([
    startEntry(lab, { flags: ['--dry-run'] }).closed,
    startEntry(lab, { flags: [] }).closed,
  ])
  locked.lock.release()
  assert.is(rehearsal.code, 2, rehearsal.stderr)
  assert.is(run.code, 75, run.stderr)
  assert.match(run.stdout, `another upgrade (pid ${process.pid} of `)
  assert.equal(changes(from), [])
})

if (process.platform === 'linux') {
  const answers: [name: string, keys: string, code: number][] = [
    ['n', 'n\r', 75],
    ['nothing but Enter', '\r', 75],
    ['Ctrl-D', '\x04', 75],
    ['Ctrl-C', '\x03', 130],
  ]
  for (const [name, keys, code] of inFull ? answers : answers.filter((_, index) => index % 2 === 1)) {
    test(`on a terminal it asks even when its results are piped, and changes nothing after ${name}`, async () => {
      const from = lab.log().length
      const typed = await atTerminal(keys)
      assert.is(typed.code, code, typed.shown)
      assert.match(typed.shown, /k8s-1.*v1\.13\.5 to v1\.13\.9[\s\S]*Go ahead\? \[y\/N\]/)
      assert.match(typed.shown, 'nothing was changed')
      assert.not.match(typed.shown, /\n\s+at /)
      assert.not.match(typed.log, 'Go ahead')
      assert.equal(changes(from), [])
    })
  }

  test('on a terminal it goes ahead after y', async () => {
    const typed = await atTerminal('y\r', ['--nodes', 'k8s-1'])
    assert.is(typed.code, 0, typed.shown)
    assert.match(typed.log, /k8s-1 .*v1\.13\.5 → v1\.13\.9/)
    assert.equal(changes(0).filter(({ type }) => type === 'reboot.requested').length, 1)
  })
}

if (inFull) test('a reader of its output that leaves does not end the upgrade', readerLeaves)

async function readerLeaves(): Promise<void> {
  const from = lab.log().length
  const words = [
    process.execPath,
    '--import',
    'tsx',
    'workflows/upgrade.ts',
    '--cluster',
    lab.cluster,
    '--dir',
    lab.dir,
  ]
  const line = `set -o pipefail; "$@" --output json --nodes k8s-2 2>&1 | head -n 1`
  const { code, stdout } = await watchProcess('bash', ['-c', line, 'bash', ...words], process.env).closed
  assert.is(code, 0, stdout)
  assert.is(stdout.split('\n').length, 2)
  assert.ok(changes(from).some(({ type }) => type === 'machine.ready'))
}

test("from cron's environment it never asks, finds its tools in the cache and upgrades everything", async () => {
  const home = join(scratch, 'home')
  for (const name of ['talosctl-1.13', 'kubectl'] as const) {
    const tool = await resolveTool(name)
    if (!tool.found) throw new Error(tool.detail)
    const cached = await builtToolPath(toolTable[name], { HOME: home })
    mkdirSync(dirname(cached), { recursive: true })
    symlinkSync(tool.path, cached)
  }
  const argv = ['--import', 'tsx', 'workflows/upgrade.ts', '--cluster', lab.cluster, '--dir', lab.dir]
  const run = watchProcess(process.execPath, argv, { HOME: home, PATH: '/usr/bin:/bin' })
  const { code, stdout, stderr } = await run.closed
  assert.is(code, 0, `${stderr}${stdout}`)
  assert.not.match(`${stderr}${stdout}`, 'Go ahead')
  const log = lab.log()
  for (const node of ['k8s-1', 'k8s-2', 'k8s-3']) {
    const count = (type: LoggedEvent['type']) =>
      log.filter((e) => e.type === type && 'node' in e && e.node === node).length
    assert.equal([node, count('install.finished'), count('reboot.requested')], [node, 1, 1])
  }
  assert.equal(lab.check(), [])
})

test('a dry run of an upgrade that is done exits 0', async () => {
  const { code, stdout, stderr } = await startEntry(lab, { flags: ['--dry-run'] }).closed
  assert.is(code, 0, stderr)
  assert.match(stdout, 'runs v1.13.9 already')
})

test('a run with nothing to do exits 0, and with quiet it says nothing', async () => {
  const from = lab.log().length
  const { code, stdout, stderr } = await startEntry(lab, { flags: ['--output', 'quiet'] }).closed
  assert.equal([code, stdout, stderr], [0, '', ''])
  assert.equal(changes(from), [])
})

test.run()
