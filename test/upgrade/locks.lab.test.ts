// limit: 600 s
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { readJournal } from '../../scripts/engine/journal.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { type Running, startEntry } from '../support/run-entry.ts'

const test = suite('one run a cluster')
const scratch = mkdtempSync(join(tmpdir(), 'locks-'))
const mounts: string[] = []
let lab: TestLab

test.before(async () => {
  lab = await startLab()
})
test.after(async () => {
  for (const mount of mounts) execFileSync('umount', [mount])
  rmSync(scratch, { recursive: true, force: true })
  await lab.down()
})

const upgrade = (...flags: string[]): Running => startEntry(lab, { flags: ['--output', 'json', ...flags] })

const since = (from: number): LoggedEvent[] => lab.log().slice(from)
const count = (from: number, type: LoggedEvent['type'], node: string): number =>
  since(from).filter((event) => event.type === type && 'node' in event && event.node === node).length

const started = (run: Running) => run.said((event) => event.type === 'run.started')
const finished = (run: Running) =>
  run.events().find((event): event is Extract<RunEvent, { type: 'run.finished' }> => event.type === 'run.finished')
const notices = (run: Running) => run.events().flatMap((event) => (event.type === 'notice' ? [event.text] : []))

if (inFull) test('of two upgrades that are started together one runs, and the other exits 75 and names it', oneRuns)

async function oneRuns(): Promise<void> {
  const from = lab.log().length
  // the one that runs stays until the other has had its turn
  await lab.fault({ name: 'never-returns', node: 'k8s-1' })
  const both = [upgrade('--to', 'v1.13.6', '--nodes', 'k8s-1'), upgrade('--to', 'v1.13.6', '--nodes', 'k8s-1')]
  await Promise.race(both.map(({ closed }) => closed))
  await lab.cure()
  const codes = await Promise.all(both.map(async ({ closed }) => (await closed).code))
  assert.equal([...codes].sort(), [0, 75])
  const [winner, loser] = codes[0] === 0 ? both : both.toReversed()
  assert.ok(winner && loser)
  const failures = finished(loser)?.failures ?? []
  assert.equal(
    failures.map(({ reason }) => reason),
    ['locked'],
  )
  assert.match(failures[0]?.detail ?? '', `(pid ${winner.pid} of `)
  assert.equal(finished(loser)?.verdicts, {}, 'it looked at none')
  assert.is(count(from, 'install.started', 'k8s-1'), 1)
  assert.is(count(from, 'reboot.requested', 'k8s-1'), 1)
  assert.equal(lab.check(), [])
}

test('a killed run is taken up with its plan while the node that it rebooted is down, and the take-over is said', async () => {
  const flags = ['--to', 'v1.13.7', '--nodes', 'k8s-1,k8s-2']
  const from = lab.log().length
  for (const node of ['k8s-1', 'k8s-2']) await lab.fault({ name: 'never-returns', node })
  const killed = upgrade(...flags)
  const down = await lab.logged(({ type }) => type === 'machine.down', { from })
  const node = 'node' in down ? down.node : ''
  killed.kill('SIGKILL')
  await killed.exited

  const next = upgrade(...flags)
  const [first, second] = [await started(killed), await started(next)]
  assert.ok(first.type === 'run.started' && second.type === 'run.started')
  assert.ok(second.resumed)
  assert.is(second.run, first.run)
  assert.equal(second.plan, first.plan)
  assert.match(
    notices(next).join(),
    `took over the stale lock of upgrade of cluster-${lab.cluster} (pid ${killed.pid} of `,
  )
  await next.said((event) => event.type === 'waiting' && event.node === node && event.last === 'down')
  assert.is(count(from, 'machine.booting', node), 0, 'it is down all that time')
  await lab.cure({ name: 'never-returns' })
  const { code, stderr } = await next.closed
  assert.is(code, 0, stderr)
  assert.equal(finished(next)?.verdicts, { 'k8s-1': 'upgraded', 'k8s-2': 'upgraded' })
  for (const name of ['k8s-1', 'k8s-2']) {
    assert.equal([count(from, 'install.started', name), count(from, 'reboot.requested', name)], [1, 1], name)
  }
  assert.equal(lab.check(), [])
})

test('a run whose flags were others is closed as abandoned, and said to be', async () => {
  const from = lab.log().length
  await lab.fault({ name: 'image-pull-hangs', node: 'k8s-3' })
  const stopped = upgrade('--to', 'v1.13.7', '--nodes', 'k8s-3')
  await lab.logged(({ type }) => type === 'pull.started', { from })
  stopped.kill('SIGTERM')
  assert.is((await stopped.closed).code, 143)
  await lab.cure()

  const next = upgrade('--to', 'v1.13.8', '--nodes', 'k8s-3')
  const { code, stderr } = await next.closed
  assert.is(code, 0, stderr)
  const first = await started(stopped)
  const second = await started(next)
  assert.ok(first.type === 'run.started' && second.type === 'run.started')
  assert.not.ok(second.resumed)
  assert.is.not(second.run, first.run)
  assert.match(notices(next).join(), new RegExp(`abandoned ${first.run}.*changed since: .*k8s-3 pull-image`))
  const last = readJournal(join(lab.clusterDir, '.run', first.run, 'journal.ndjson')).records.at(-1)
  assert.ok(last?.type === 'end')
  assert.equal([last.how, last.state], ['abandoned', 'begun and not seen to end: k8s-3 pull-image'])
  const images = since(from).flatMap((event) => (event.type === 'install.started' ? [event.image.split(':')[1]] : []))
  assert.equal(images, ['v1.13.8'])
})

/** A copy of the cluster's declaration, whose `.run` is the caller's to spoil. */
function declaredAgain(): { dir: string; run: string } {
  const dir = mkdtempSync(join(scratch, 'again-'))
  const folder = join(dir, 'clusters', `cluster-${lab.cluster}`)
  mkdirSync(folder, { recursive: true })
  for (const file of ['talenv.yaml', 'operations.yaml', 'talosconfig'])
    cpSync(join(lab.clusterDir, file), join(folder, file))
  return { dir, run: join(folder, '.run') }
}

const mayMount =
  process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0

function mountSmallDisk(folder: string, options: string): void {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  mounts.push(folder)
}

/** Leaves no room: what is written next finds a full disk. */
function fill(folder: string): void {
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(1_000_000))
  } catch {
    // full
  }
}

const isRoot = process.getuid?.() === 0

const unwritable: [name: string, possible: boolean, says: RegExp, spoil: (run: string) => void][] = [
  ['is a file', true, /EEXIST|ENOTDIR/, (run) => writeFileSync(run, '')],
  ['may not be written', !isRoot, /EACCES/, (run) => mkdirSync(run, { mode: 0o500 })],
  ['is on a disk that is read-only', mayMount, /EROFS/, (run) => mountSmallDisk(run, 'ro')],
  [
    'is on a disk that is full',
    mayMount,
    /ENOSPC/,
    (run) => {
      mountSmallDisk(run, 'size=256k')
      fill(run)
    },
  ],
]

// what a disk refuses is proved in tables of scripts/disk; here that a run tells it
for (const [name, possible, says, spoil] of inFull ? unwritable : unwritable.slice(0, 1)) {
  const shown = possible ? test : test.skip
  shown(`where .run ${name} nothing starts, and it is said in a line`, async () => {
    const { dir, run } = declaredAgain()
    spoil(run)
    const from = lab.log().length
    const { code, stdout, stderr } = await startEntry({ dir, cluster: lab.cluster }, { flags: [] }).closed
    assert.is(code, 69, stderr)
    assert.match(stdout, says)
    assert.not.match(`${stdout}${stderr}`, /\n\s+at /, 'no stack trace')
    assert.equal(
      since(from).filter(({ type }) => /^(pull|install|reboot|machine)\./.test(type)),
      [],
    )
    const rehearsal = await startEntry({ dir, cluster: lab.cluster }, { flags: ['--dry-run'] }).closed
    assert.is(rehearsal.code, 2, rehearsal.stderr)
  })
}

test.run()
