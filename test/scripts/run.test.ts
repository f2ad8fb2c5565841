import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Command, createRun, type Program } from '../../scripts/run.ts'
import { commandResult } from '../support/command-result.ts'

const test = suite('run')

let folder = ''
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-test-'))
})
test.after.each(() => rmSync(folder, { recursive: true, force: true }))

/** bash stands in for talosctl: what is tested is how any program is started and stopped. */
const run = createRun({ paths: { talosctl: '/usr/bin/env' }, env: process.env, graceMs: 200 })
const bash = (script: string, more: Partial<Command> = {}): Command => ({
  tool: 'talosctl',
  argv: ['bash', '-c', script],
  timeoutMs: 20_000,
  mutates: false,
  ...more,
})

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // A zombie answers to signals; it is gone all the same.
  return !/^State:\s+Z/m.test(existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '')
}

async function until(what: string, condition: () => boolean) {
  const deadline = Date.now() + 15_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await pause(10)
  }
}

const written = (name: string) => {
  const path = join(folder, name)
  return existsSync(path) && readFileSync(path, 'utf8').endsWith('\n') ? readFileSync(path, 'utf8').trim() : undefined
}

test('keeps standard output, standard error and the exit code apart', async () => {
  const result = await run(bash('echo out; echo "WARNING: err" >&2; exit 3'))
  assert.equal(result, commandResult({ exitCode: 3, stdout: 'out\n', stderr: 'WARNING: err\n' }))
})

test('passes every argument through unread by any shell', async () => {
  const nasty = ['', ' ', '$(id)', '`id`', '; exit 9', "it's", '"', '\\', '*', '-e', '$HOME', 'a\nb', '>x', '&', 'ü']
  const result = await run({
    ...bash(''),
    argv: ['node', '-p', 'JSON.stringify(process.argv.slice(1))', '--', ...nasty],
  })
  assert.equal(JSON.parse(result.stdout), nasty)
})

test('refuses an argument that is not a string before anything starts', async () => {
  const argv = ['touch', join(folder, 'started'), undefined as unknown as string]
  await run({ ...bash(''), argv }).then(
    () => assert.unreachable('it ran'),
    (error: unknown) => assert.instance(error, TypeError),
  )
  assert.not.ok(existsSync(join(folder, 'started')))
})

test('closes standard input, so that a tool that asks a question ends', async () => {
  assert.is((await run(bash('cat; echo end'))).stdout, 'end\n')
})

test('gives standard input whole, from its first byte', async () => {
  const stdin = `\nsecret\n${'x'.repeat(300_000)}`
  assert.is((await run(bash('cat', { stdin }))).stdout, stdin)
})

test('gives standard input as a file to a tool that wants one, and no file holds it', async () => {
  const stdin = `secret\n${'x'.repeat(300_000)}`
  const command = { tool: 'talosctl', argv: [], stdin, stdinIsFile: true, timeoutMs: 20_000, mutates: false } as const
  const cat = createRun({ paths: { talosctl: 'cat' }, env: process.env })
  assert.is((await cat(command)).stdout, stdin)
  const namesOf = createRun({ paths: { talosctl: 'echo' }, env: process.env })
  assert.match((await namesOf(command)).stdout, /^\/dev\/fd\/\d+\n$/)
})

test('gives it also where PATH is short, as that of cron, or empty', async () => {
  for (const PATH of ['', folder]) {
    const command = {
      tool: 'talosctl',
      argv: [],
      stdin: 'x',
      stdinIsFile: true,
      timeoutMs: 20_000,
      mutates: false,
    } as const
    assert.is((await createRun({ paths: { talosctl: '/bin/cat' }, env: { PATH } })(command)).stdout, 'x')
  }
})

test('survives a tool that ends without reading its input', async () => {
  assert.equal((await run(bash('exit 4', { stdin: 'x'.repeat(5_000_000) }))).ended, { by: 'exit', code: 4 })
})

test('shows the tool only the environment that is meant for it', async () => {
  const seen = createRun({
    paths: { talosctl: '/usr/bin/env' },
    env: {
      PATH: process.env.PATH,
      HOME: '/h',
      HTTPS_PROXY: 'p',
      XDG_CACHE_HOME: '/c',
      TOKEN: 't',
      ZX_PREFIX: 'z',
      BASH_ENV: 'b',
    },
  })
  const { stdout } = await seen(bash('', { timeoutMs: 20_000 }))
  assert.is(stdout, '')
  const names = (await seen({ ...bash(''), argv: [] })).stdout.split('\n').map((line) => line.split('=')[0])
  for (const name of ['PATH', 'HOME', 'HTTPS_PROXY', 'XDG_CACHE_HOME']) assert.ok(names.includes(name), name)
  for (const name of ['TOKEN', 'ZX_PREFIX', 'BASH_ENV']) assert.not.ok(names.includes(name), name)
})

test('shows the keys to what decrypts, and to nothing else', async () => {
  const paths = { sops: '/usr/bin/env', talhelper: '/usr/bin/env', 'age-keygen': '/usr/bin/env', git: '/usr/bin/env' }
  const env = {
    PATH: process.env.PATH,
    SOPS_AGE_KEY_FILE: '/old',
    VAULT_TOKEN: 'v',
    GNUPGHOME: '/g',
    GITHUB_TOKEN: 'x',
  }
  const started = createRun({ paths, env, keys: { SOPS_AGE_KEY_FILE: '/new' } })
  const seenBy = async (tool: Program) => {
    const { stdout } = await started({ tool, argv: [], timeoutMs: 5000, mutates: false })
    return stdout.split('\n').filter((line) => /SOPS|VAULT|GNUPG|GITHUB/.test(line))
  }
  const keys = ['GNUPGHOME=/g', 'SOPS_AGE_KEY_FILE=/new', 'VAULT_TOKEN=v']
  assert.equal((await seenBy('sops')).sort(), keys)
  assert.equal((await seenBy('talhelper')).sort(), keys)
  assert.equal(await seenBy('age-keygen'), [])
  assert.equal(await seenBy('git'), [])
})

test("does not run the user's .bashrc", async () => {
  writeFileSync(join(folder, '.bashrc'), 'echo from bashrc; exit 9\n')
  const home = createRun({ paths: { talosctl: '/usr/bin/env' }, env: { PATH: process.env.PATH, HOME: folder } })
  assert.equal(await home(bash('echo ran')), commandResult({ stdout: 'ran\n' }))
})

test('tells of the signal that ended a tool', async () => {
  assert.equal((await run(bash('kill -9 $$'))).ended, { by: 'signal', signal: 'SIGKILL' })
})

test('says 127 when there is no such program', async () => {
  const missing = createRun({ paths: { talosctl: '/no/such/talosctl' }, env: process.env })
  assert.equal((await missing(bash('true'))).ended, { by: 'exit', code: 127 })
})

test('hands over lines as they come', async () => {
  const lines: string[] = []
  const gate = join(folder, 'gate')
  const running = run(bash(`echo one; until [ -e ${gate} ]; do sleep 0.01; done; printf 'two\\nthree'`), {
    onLine: (line) => lines.push(line),
  })
  await until('the first line', () => lines.length === 1)
  writeFileSync(gate, '')
  await running
  assert.equal(lines, ['one', 'two', 'three'])
})

test('an abort ends the tool, its children and their children', async () => {
  const abort = new AbortController()
  const script = `bash -c 'sleep 1000 & echo $! > ${folder}/grandchild; wait' & echo $! > ${folder}/child; wait`
  const running = run(bash(script), { signal: abort.signal })
  await until('the processes', () => written('child') !== undefined && written('grandchild') !== undefined)
  abort.abort()
  const result = await running
  assert.equal(result.ended, { by: 'abort' })
  for (const name of ['child', 'grandchild']) await until(`${name} to be gone`, () => !alive(Number(written(name))))
})

test('a tool that ignores SIGTERM gets SIGKILL', async () => {
  const abort = new AbortController()
  const running = run(bash(`trap '' TERM; echo $$ > ${folder}/pid; while :; do sleep 0.05; done`), {
    signal: abort.signal,
  })
  await until('the process', () => written('pid') !== undefined)
  abort.abort()
  await running
  assert.not.ok(alive(Number(written('pid'))))
})

test('a deadline ends the tool and is told from an abort', async () => {
  const result = await run(bash(`echo $$ > ${folder}/pid; sleep 1000`, { timeoutMs: 300 }))
  assert.equal(result.ended, { by: 'deadline' })
})

test('exit 0 after an abort is still an abort', async () => {
  const abort = new AbortController()
  const running = run(bash(`trap 'exit 0' TERM; echo $$ > ${folder}/pid; while :; do sleep 0.01; done`), {
    signal: abort.signal,
  })
  await until('the process', () => written('pid') !== undefined)
  abort.abort()
  assert.equal((await running).ended, { by: 'abort' })
})

test('many commands may share a signal without a warning, and one abort ends them all', async () => {
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(warning.message)
  process.on('warning', listen)
  const abort = new AbortController()
  const running = Array.from({ length: 15 }, (_, n) =>
    run(bash(`echo $$ > ${folder}/pid${n}; exec sleep 1000`), { signal: abort.signal }),
  )
  await until('all of them', () => running.every((_, n) => written(`pid${n}`) !== undefined))
  abort.abort()
  for (const result of await Promise.all(running)) assert.equal(result.ended, { by: 'abort' })
  process.off('warning', listen)
  assert.equal(warnings, [])
})

test('a run that exits takes its commands with it, but not the uninterruptible ones', async () => {
  const script = `
    import { createRun } from ${JSON.stringify(join(import.meta.dirname, '../../scripts/run.ts'))}
    const run = createRun({ paths: { talosctl: '/bin/bash' }, env: process.env })
    const start = (name, options) => void run({ tool: 'talosctl', argv: ['-c', 'echo $$ > ${folder}/' + name + '; exec sleep 1000'], timeoutMs: 60000, mutates: true }, options)
    start('one', {})
    start('two', { uninterruptible: true })
    process.stdin.once('data', () => process.exit(0))`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await until('both', () => written('one') !== undefined && written('two') !== undefined)
  const gone = new Promise((resolve) => child.on('exit', resolve))
  child.stdin.write('go')
  await gone
  await until('the first to be gone', () => !alive(Number(written('one'))))
  assert.ok(alive(Number(written('two'))))
  process.kill(Number(written('two')), 'SIGKILL')
})

test('nothing starts when the signal is aborted already, uninterruptible or not', async () => {
  for (const uninterruptible of [false, true]) {
    const result = await run(bash(`touch ${folder}/started`), { signal: AbortSignal.abort(), uninterruptible })
    assert.equal(result.ended, { by: 'abort' })
  }
  assert.not.ok(existsSync(join(folder, 'started')))
})

test('an uninterruptible command survives an abort and tells its whole output', async () => {
  const abort = new AbortController()
  const lines: string[] = []
  const script = `echo $$ > ${folder}/pid; until [ -e ${folder}/gate ]; do sleep 0.01; done; echo done; echo e >&2`
  const running = run(bash(script), {
    signal: abort.signal,
    uninterruptible: true,
    onLine: (line) => lines.push(line),
  })
  await until('the process', () => written('pid') !== undefined)
  abort.abort()
  await pause(300)
  assert.ok(alive(Number(written('pid'))))
  writeFileSync(join(folder, 'gate'), '')
  assert.equal(await running, commandResult({ stdout: 'done\n', stderr: 'e\n' }))
  assert.equal(lines, ['done'])
})

test('an uninterruptible command that is late is reported and left running', async () => {
  const script = `echo $$ > ${folder}/pid; echo begun; until [ -e ${folder}/gate ]; do sleep 0.01; done; touch ${folder}/end`
  const result = await run(bash(script, { timeoutMs: 3000 }), { uninterruptible: true })
  assert.equal(result.ended, { by: 'deadline' })
  assert.is(result.stdout, 'begun\n')
  assert.ok(alive(Number(written('pid'))))
  writeFileSync(join(folder, 'gate'), '')
  await until('it to end by itself', () => existsSync(join(folder, 'end')))
})

test('the process file names the tool itself, before the tool starts', async () => {
  const processFile = join(folder, 'process')
  const { stdout } = await run(bash(`echo $$; head -1 ${processFile}; ps -o pgid= -p $$`), { processFile })
  const [own, onFile, group] = stdout.split('\n').map((line) => line.trim())
  assert.is(onFile, own)
  assert.is(group, own)
})

test('nothing starts when the process file can not be written', async () => {
  await run(bash(`touch ${folder}/started`), { processFile: join(folder, 'no', 'such', 'folder') }).then(
    () => assert.unreachable('it ran'),
    (error: NodeJS.ErrnoException) => assert.is(error.code, 'ENOENT'),
  )
  await pause(200)
  assert.not.ok(existsSync(join(folder, 'started')))
})

test('works without ps, and whatever ZX_ variables say', async () => {
  const bin = join(folder, 'bin')
  const script = `
    import { createRun } from ${JSON.stringify(join(import.meta.dirname, '../../scripts/run.ts'))}
    const run = createRun({ paths: { talosctl: '/bin/sh' }, env: { PATH: ${JSON.stringify(bin)} }, graceMs: 100 })
    const result = await run({ tool: 'talosctl', argv: ['-c', 'echo hello; exec /bin/sleep 1000'], timeoutMs: 500, mutates: false })
    process.stdout.write(JSON.stringify(result))`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
    env: {
      PATH: bin,
      HOME: folder,
      ZX_PREFIX: 'echo broken;',
      ZX_SHELL: '/bin/false',
      ZX_TIMEOUT: '1',
      ZX_VERBOSE: 'true',
      ZX_DETACHED: 'false',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  await new Promise((resolve) => child.on('close', resolve))
  assert.is(stderr, '')
  assert.equal(JSON.parse(stdout), commandResult({ stdout: 'hello\n', ended: { by: 'deadline' } }))
})

test('an uninterruptible command goes on writing after our own sudden death', async () => {
  const processFile = join(folder, 'process')
  const script = `
    import { createRun } from ${JSON.stringify(join(import.meta.dirname, '../../scripts/run.ts'))}
    const run = createRun({ paths: { talosctl: '/bin/bash' }, env: process.env })
    const script = 'echo $$ > ${folder}/pid; until [ -e ${folder}/gate ]; do sleep 0.01; done; echo more; echo more >&2; touch ${folder}/end'
    await run({ tool: 'talosctl', argv: ['-c', script], timeoutMs: 60000, mutates: true }, { processFile: ${JSON.stringify(processFile)}, uninterruptible: true })`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: 'ignore',
  })
  await until('the tool', () => written('pid') !== undefined)
  assert.is(written('process')?.split('\n')[0], written('pid'))
  const dead = new Promise((resolve) => child.on('exit', resolve))
  child.kill('SIGKILL')
  await dead
  writeFileSync(join(folder, 'gate'), '')
  await until('it to end by itself', () => existsSync(join(folder, 'end')))
  assert.is(readFileSync(`${processFile}.stdout`, 'utf8'), 'more\n')
})

test.run()
