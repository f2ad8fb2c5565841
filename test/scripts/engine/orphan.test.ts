import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Step, unfinishedIntents } from '../../../scripts/engine/driver.ts'
import { openJournal } from '../../../scripts/engine/journal.ts'
import { waitForOrphan } from '../../../scripts/engine/orphan.ts'
import { processNote } from '../../../scripts/engine/process-note.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { eventually } from '../../support/eventually.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'

const test = suite<{ folder: string; file: string; command: ChildProcess; pid: number }>('orphan')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'orphan-'))
  context.file = join(context.folder, '3.pid')
  context.command = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
  context.pid = context.command.pid ?? 0
})
test.after.each(({ folder, command }) => {
  command.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

/** Whether the file names a command that is still waited for; nothing ends one that installs. */
async function isWaitedFor(file: string): Promise<boolean> {
  const abort = new AbortController()
  let waits = false
  const waiting = () => {
    waits = true
    abort.abort()
  }
  await waitForOrphan(file, 'install', { signal: abort.signal, waiting }).catch(() => {})
  return waits
}

const hourAgo = () => new Date(Date.now() - 3_600_000)

test('is the very process that was noted, whatever the clock was set to since', async ({ file, pid }) => {
  writeFileSync(file, processNote(pid))
  assert.ok(await isWaitedFor(file))
  utimesSync(file, hourAgo(), hourAgo())
  assert.ok(await isWaitedFor(file))
})

test('is no later process with the same pid', async ({ file, pid }) => {
  writeFileSync(file, `${pid}\n${processNote(process.pid).split('\n')[1]}\n`)
  assert.not.ok(await isWaitedFor(file))
})

test('is gone when it had ended before it could be noted', async ({ file, command, pid }) => {
  const gone = new Promise((resolve) => command.on('exit', resolve))
  command.kill('SIGKILL')
  await gone
  writeFileSync(file, processNote(pid))
  assert.not.ok(await isWaitedFor(file))
})

test('is found by the pid alone, as earlier versions noted it, when the file is as old as the process', async ({
  file,
  pid,
}) => {
  writeFileSync(file, `${pid}\n`)
  assert.ok(await isWaitedFor(file))
  utimesSync(file, hourAgo(), hourAgo())
  assert.not.ok(await isWaitedFor(file))
})

test('whose step may be cut off is ended with its group', async ({ file, pid, command }) => {
  writeFileSync(file, processNote(pid))
  await waitForOrphan(file, 'reboot', { signal: new AbortController().signal, waiting: () => {} })
  assert.is(command.signalCode ?? 'SIGTERM', 'SIGTERM')
})

const patient = { signal: new AbortController().signal, waiting: () => {} }

test('whose step may be cut off, and that hears no SIGTERM, is killed', async ({ file, folder, command }) => {
  command.kill('SIGKILL')
  const ready = join(folder, 'ready')
  const script = `trap '' TERM; touch '${ready}'; while :; do sleep 0.05; done`
  const deaf = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore' })
  const gone = new Promise((resolve) => deaf.once('exit', (_, signal) => resolve(signal)))
  try {
    await eventually(
      () => existsSync(ready) || undefined,
      () => 'it never started',
    )
    writeFileSync(file, processNote(deaf.pid ?? 0))
    assert.is(await waitForOrphan(file, 'reboot', patient, { graceMs: 1, deadlineMs: 10_000 }), undefined)
    assert.is(await gone, 'SIGKILL')
  } finally {
    deaf.kill('SIGKILL')
  }
})

test('that installs and does not end is refused with its pid, and left alone', async ({ file, pid, command }) => {
  writeFileSync(file, processNote(pid))
  const why = await waitForOrphan(file, 'install', patient, { deadlineMs: 1 })
  assert.is(why?.reason, 'earlier-command-runs')
  assert.match(why?.detail ?? '', `install (pid ${pid}) does not end`)
  assert.match(why?.hint ?? '', `ps -fp ${pid} #`)
  assert.is(command.signalCode, null)
})

test('keeps its run unfinished while it does not end, so that no run begins anything beside it', async ({
  folder,
  pid,
}) => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const journal = openJournal(join(folder, 'journal.ndjson'))
  // killed in its call
  await new Promise<void>((begun) => {
    const around = (name: string, body: Step): Step => (name === 'install' ? () => new Promise(() => begun()) : body)
    void driveFake(fake, folder, journal, { around })
  })
  const [intent] = [...unfinishedIntents(journal.records).values()].flat()
  assert.is(intent?.step, 'install')
  writeFileSync(intent?.processFile ?? '', processNote(pid))
  for (const again of [1, 2]) {
    const next = await driveFake(fake, folder, journal, { orphansMs: 1 })
    assert.is(next.ended === 'broken' && next.failure.reason, 'earlier-command-runs', `${again}`)
    assert.ok(unfinishedIntents(journal.records).has(intent?.path ?? ''))
  }
  assert.equal(
    [...fake.nodes.values()].map(({ installs }) => installs),
    [0, 0, 0],
  )
})

test.run()
