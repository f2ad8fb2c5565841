import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { acquireLock, type Holder, type Lock } from '../../../scripts/engine/lock.ts'
import { processIdentity } from '../../../scripts/engine/process-identity.ts'
import type { Fared, Race } from '../../support/lock-racer.ts'

const test = suite<{ folder: string }>('lock')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'lock-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const minutes = 60_000

const holder = (more: Partial<Holder> = {}): Holder => ({
  pid: process.pid,
  host: hostname(),
  identity: processIdentity(process.pid) ?? '',
  command: 'upgrade of cluster-7',
  since: '2026-11-20T02:30:00.000Z',
  ...more,
})

function leave(folder: string, number: number, who: Holder, ageMs = 0): string {
  const file = join(folder, `lock.${number}`)
  writeFileSync(file, JSON.stringify(who))
  const at = new Date(Date.now() - ageMs)
  utimesSync(file, at, at)
  return file
}

function taken(folder: string): Lock {
  const locked = acquireLock(folder, 'upgrade of cluster-7')
  assert.ok(locked.ok, 'it is free')
  return locked.lock
}

function refused(folder: string): string {
  const locked = acquireLock(folder, 'upgrade of cluster-7')
  if (locked.ok) throw new Error('nobody holds it')
  assert.is(locked.failure.reason, 'locked')
  return locked.failure.detail ?? ''
}

const locks = (folder: string) => readdirSync(folder).sort()

/** The pid of a process that has ended. */
async function gonePid(): Promise<number> {
  const child = spawn('true', { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

test('is taken by the first, and tells the second who holds it', ({ folder }) => {
  const lock = taken(folder)
  assert.is(lock.takenOverFrom, undefined)
  assert.is(lock.lost(), undefined)
  assert.match(refused(folder), `upgrade of cluster-7 (pid ${process.pid} on ${hostname()}, since 20`)
  lock.release()
  assert.equal(locks(folder), ['lock.1'])
})

test('that was released is free again, and nobody is said to have lost it', ({ folder }) => {
  taken(folder).release()
  const next = taken(folder)
  assert.is(next.takenOverFrom, undefined)
  assert.equal(locks(folder), ['lock.2'], 'the older one is tidied away')
  next.release()
})

test('of a process that is gone is taken over, and its holder is named', async ({ folder }) => {
  const pid = await gonePid()
  leave(folder, 4, holder({ pid }))
  const lock = taken(folder)
  assert.is(lock.takenOverFrom?.pid, pid)
  assert.equal(locks(folder), ['lock.5'])
  lock.release()
})

test('whose pid belongs to a later process by now is taken over', ({ folder }) => {
  leave(folder, 1, holder({ identity: 'of the one that had this pid before' }))
  const lock = taken(folder)
  assert.is(lock.takenOverFrom?.pid, process.pid)
  lock.release()
})

test('of a living process is not taken over, however old it is', ({ folder }) => {
  leave(folder, 1, holder(), 60 * minutes)
  assert.match(refused(folder), `pid ${process.pid}`)
})

test('of another host is respected while it is renewed', async ({ folder }) => {
  leave(folder, 1, holder({ host: 'laptop', pid: await gonePid() }), 9 * minutes)
  assert.match(refused(folder), 'on laptop')
  assert.equal(locks(folder), ['lock.1'])
})

test('of another host is taken over after ten silent minutes', async ({ folder }) => {
  leave(folder, 1, holder({ host: 'laptop' }), 11 * minutes)
  const lock = taken(folder)
  assert.is(lock.takenOverFrom?.host, 'laptop')
  lock.release()
})

test('that another host has released is free at once', ({ folder }) => {
  leave(folder, 1, holder({ host: 'laptop', released: true }))
  const lock = taken(folder)
  assert.is(lock.takenOverFrom, undefined)
  lock.release()
})

test('with content that can not be read is taken over', ({ folder }) => {
  writeFileSync(join(folder, 'lock.1'), '')
  taken(folder).release()
  assert.equal(locks(folder), ['lock.2'])
})

test('is renewed while it is held, so that other hosts see it live', ({ folder }) => {
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    const lock = taken(folder)
    const file = join(folder, 'lock.1')
    utimesSync(file, 0, 0)
    mock.timers.tick(15_000)
    assert.ok(Date.now() - statSync(file).mtimeMs < minutes)
    lock.release()
    utimesSync(file, 0, 0)
    mock.timers.tick(60_000)
    assert.is(statSync(file).mtimeMs, 0, 'and no longer')
  } finally {
    mock.timers.reset()
  }
})

test('that somebody else took over says who, and is not given back in their name', ({ folder }) => {
  const lock = taken(folder)
  const theirs = leave(folder, 2, holder({ host: 'laptop' }))
  const lost = lock.lost()
  assert.is(lost?.reason, 'lock-lost')
  assert.match(lost?.detail ?? '', 'on laptop')
  lock.release()
  assert.not.ok((JSON.parse(readFileSync(theirs, 'utf8')) as Holder).released)
})

test('whose file is gone is lost', ({ folder }) => {
  const lock = taken(folder)
  rmSync(join(folder, 'lock.1'))
  assert.match(lock.lost()?.detail ?? '', 'gone')
  lock.release()
})

const RACERS = 50
const racers: ChildProcess[] = []
const compiled = mkdtempSync(join(tmpdir(), 'lock-racer-'))

function answer(racer: ChildProcess): Promise<unknown> {
  return once(racer, 'message').then(([message]) => message)
}

/** All of them at the same millisecond. */
function race(folder: string, kind: Race['kind']): Promise<Fared[]> {
  const fared = racers.map(answer)
  for (const racer of racers) racer.send({ folder, at: Date.now() + 300, kind } satisfies Race)
  return Promise.all(fared) as Promise<Fared[]>
}

/** Plain JavaScript starts in a tenth of the time that tsx takes, and there are fifty of them. */
function compile(): void {
  const root = join(import.meta.dirname, '../../..')
  const options = '--ignoreConfig --module nodenext --target es2023 --types node --skipLibCheck --verbatimModuleSyntax'
  execFileSync(
    join(root, 'node_modules/.bin/tsc'),
    [
      ...options.split(' '),
      ...['--rewriteRelativeImportExtensions', '--rootDir', root, '--outDir', compiled],
      join(root, 'test/support/lock-racer.ts'),
    ],
    { cwd: root },
  )
  writeFileSync(join(compiled, 'package.json'), '{ "type": "module" }')
}

async function startRacers(): Promise<void> {
  if (racers.length > 0) return
  compile()
  const program = join(compiled, 'test/support/lock-racer.js')
  // ten at a time: they share the machine with other tests
  while (racers.length < RACERS) {
    const ten = Array.from({ length: 10 }, () => fork(program, { execArgv: [] }))
    racers.push(...ten)
    await Promise.all(ten.map(answer))
  }
}

test.after(() => {
  for (const racer of racers) racer.kill('SIGKILL')
  rmSync(compiled, { recursive: true, force: true })
})

test('that is stale goes to exactly one of fifty processes, and the others name it', async ({ folder }) => {
  await startRacers()
  const stale = await gonePid()
  for (let round = 1; round <= 5; round++) {
    const ground = mkdtempSync(join(folder, 'round-'))
    leave(ground, 1, holder({ pid: stale }))
    const all = await race(ground, 'once')
    const winners = all.filter((fared) => fared.got)
    assert.is(winners.length, 1, `round ${round}: ${winners.length} winners`)
    const [winner] = winners
    assert.is(winner?.got && winner.from, stale, 'it says whom it took over from')
    for (const fared of all) if (!fared.got) assert.match(fared.detail, `pid ${winner?.pid} on`)
    assert.equal(locks(ground), ['lock.2'])
  }
})

test('goes through fifty processes one after the other, and never to two at once', async ({ folder }) => {
  await startRacers()
  leave(folder, 1, holder({ released: true }))
  const all = await race(folder, 'turn')
  assert.is(all.filter((fared) => fared.got && fared.alone).length, RACERS)
  assert.equal(locks(folder), [`lock.${RACERS + 1}`])
})

test.run()
