import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { acquireLock, type Lock } from '../../../scripts/engine/lock.ts'
import { type Holder, judgeHolder, thisHolder, type Vantage } from '../../../scripts/engine/process-identity.ts'
import { inFull } from '../../support/in-full.ts'
import type { Fared, Race } from '../../support/lock-racer.ts'

const test = suite<{ folder: string }>('lock')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'lock-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const minutes = 60_000

const us = thisHolder('upgrade of cluster-7')

const holder = (more: Partial<Holder> & { released?: boolean } = {}): Holder => ({
  ...us,
  since: '2026-11-20T02:30:00.000Z',
  ...more,
})

/** In another container of a machine that may be this one: nobody here can look at it. */
const elsewhere = (more: Parameters<typeof holder>[0] = {}): Holder =>
  holder({ host: 'laptop', pidNamespace: 'pid:[1] other', ...more })

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
  assert.match(refused(folder), `upgrade of cluster-7 (pid ${process.pid} of ${us.user} on ${hostname()}, since 20`)
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

test('of a holder that can not be judged from here is respected, however old it is, and the file is named', async ({
  folder,
}) => {
  const file = leave(folder, 1, elsewhere({ pid: await gonePid() }), 24 * 60 * minutes)
  const locked = acquireLock(folder, 'upgrade of cluster-7')
  if (locked.ok) throw new Error('nobody holds it')
  assert.ok(locked.isDoubtful)
  assert.match(locked.failure.detail ?? '', 'on laptop')
  assert.match(locked.failure.hint ?? '', `rm ${file}`)
  assert.equal(locks(folder), ['lock.1'], 'nothing was touched')
})

test('of such a holder is taken over where somebody else has seen its end, and of that one only', ({ folder }) => {
  const theirs = elsewhere()
  leave(folder, 1, theirs)
  assert.not(acquireLock(folder, 'upgrade of cluster-7', { over: { ...theirs, identity: 'another' } }).ok)
  const locked = acquireLock(folder, 'upgrade of cluster-7', { over: theirs })
  assert.ok(locked.ok && locked.lock.takenOverFrom?.host === 'laptop')
  assert.equal(locks(folder), ['lock.2'])
})

test('that another host has released is free at once', ({ folder }) => {
  leave(folder, 1, elsewhere({ released: true }))
  const lock = taken(folder)
  assert.is(lock.takenOverFrom, undefined)
  lock.release()
})

test('with content that tells of nobody counts as held', ({ folder }) => {
  for (const content of ['', 'null', '7', '{}', '{"pid":"1","identity":"boot 1"}']) {
    writeFileSync(join(folder, 'lock.1'), content)
    assert.match(refused(folder), /counts as alive, since \S+lock\.1 can not be read/)
    assert.equal(locks(folder), ['lock.1'])
  }
})

test('may be read by other users, who are to know who holds it', ({ folder }) => {
  const lock = taken(folder)
  assert.is(statSync(join(folder, 'lock.1')).mode & 0o777, 0o644)
  lock.release()
})

const boot = 'b00t'
const theirBoot = '0ther'
const first = 'pid:[4026531836]'
const linux: Vantage = {
  platform: 'linux',
  machine: 'm',
  boot,
  pidNamespace: `${first} ${boot}`,
  look: (pid) => (pid === 1 ? `${boot} 10` : pid === 2 ? 'hidden' : 'gone'),
}
const mac: Vantage = {
  ...linux,
  platform: 'darwin',
  boot: '',
  pidNamespace: '',
  look: (pid) => (pid === 1 ? '10' : 'gone'),
}
const onLinux = { pid: 1, identity: `${boot} 10`, machine: 'm', pidNamespace: `${first} ${boot}` }
const onMac = { pid: 1, identity: '10', machine: 'm', pidNamespace: '' }

const judged: [who: string, holder: Partial<Holder>, is: ReturnType<typeof judgeHolder>, from?: Vantage][] = [
  ['a process that is there', onLinux, 'alive'],
  ['a process that has ended', { ...onLinux, pid: 3 }, 'gone'],
  ['a later process with its pid', { ...onLinux, identity: `${boot} 9` }, 'gone'],
  ["another user's process that is hidden", { ...onLinux, pid: 2 }, 'unknown'],
  ['a process of another namespace of pids', { ...onLinux, pid: 3, pidNamespace: `pid:[7] ${boot}` }, 'unknown'],
  [
    "a holder in a container with the host's name, seen from another boot",
    { ...onLinux, identity: `${theirBoot} 10`, pidNamespace: `pid:[7] ${theirBoot}` },
    'unknown',
  ],
  [
    'a process of an earlier boot of this machine',
    { ...onLinux, identity: `${theirBoot} 10`, pidNamespace: `${first} ${theirBoot}` },
    'gone',
  ],
  [
    'a process of another machine with this name',
    { ...onLinux, machine: 'n', identity: `${theirBoot} 10`, pidNamespace: `${first} ${theirBoot}` },
    'unknown',
  ],
  [
    'a machine without an id',
    { pid: 1, identity: `${theirBoot} 10`, pidNamespace: `${first} ${theirBoot}` },
    'unknown',
    { ...linux, machine: undefined },
  ],
  ['a holder that an earlier version wrote', { pid: 3, identity: `${boot} 10` }, 'unknown'],
  ['a process on this Mac', onMac, 'alive', mac],
  ['a process that has ended on this Mac', { ...onMac, pid: 3 }, 'gone', mac],
  ['another Mac of this name', { ...onMac, pid: 3, machine: 'n' }, 'unknown', mac],
]

for (const [who, { machine, pidNamespace, ...more }, is, from = linux] of judged)
  test(`judges ${who} as ${is}`, () => {
    const { machine: _, pidNamespace: __, ...bare } = us
    const whole = {
      ...bare,
      ...more,
      ...(machine && { machine }),
      ...(pidNamespace === undefined ? {} : { pidNamespace }),
    }
    assert.is(judgeHolder(whole, from), is)
  })

test('that somebody else took over says who, and is not given back in their name', ({ folder }) => {
  const lock = taken(folder)
  const theirs = leave(folder, 2, elsewhere())
  const lost = lock.lost()
  assert.is(lost?.reason, 'lock-lost')
  assert.match(lost?.detail ?? '', 'on laptop')
  lock.release()
  assert.not.ok((JSON.parse(readFileSync(theirs, 'utf8')) as { released?: boolean }).released)
})

test('whose file is gone is lost', ({ folder }) => {
  const lock = taken(folder)
  rmSync(join(folder, 'lock.1'))
  assert.match(lock.lost()?.detail ?? '', 'gone')
  lock.release()
})

const RACERS = inFull ? 50 : 10
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

/** Plain JavaScript starts in a tenth of the time that tsx takes, and there are many of them. */
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

test(`that is stale goes to exactly one of ${RACERS} processes, and the others name it`, async ({ folder }) => {
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
    for (const fared of all) if (!fared.got) assert.match(fared.detail, `pid ${winner?.pid} of`)
    assert.equal(locks(ground), ['lock.2'])
  }
})

test(`goes through ${RACERS} processes one after the other, and never to two at once`, async ({ folder }) => {
  await startRacers()
  leave(folder, 1, holder({ released: true }))
  const all = await race(folder, 'turn')
  assert.is(all.filter((fared) => fared.got && fared.alone).length, RACERS)
  assert.equal(locks(folder), [`lock.${RACERS + 1}`])
})

test.run()
