import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { foldRows } from '../../../scripts/view/fold-rows.ts'
import { createListrView } from '../../../scripts/view/listr.ts'
import { createLiveRows, type Row } from '../../../scripts/view/live-rows.ts'
import type { RunEvent } from '../../../workflows/model/event.ts'
import { aRun } from './a-run.ts'

/** What the rows say after the first event that `until` is true of. */
function rowsAfter(until: (event: RunEvent) => boolean): string[] {
  const live = createLiveRows()
  for (const event of aRun) {
    live.handle(event, 0)
    if (until(event)) break
  }
  return live.rows().map(({ name, state, text, waits }) => `${name} ${state}: ${text}${waits ? ` | ${waits}` : ''}`)
}

test('starts with a row for the cluster and one for every node of the plan', () => {
  assert.equal(
    rowsAfter(({ type }) => type === 'run.started'),
    [
      'cluster-7 working: upgrade to v1.13.9, 0 of 2 nodes done | took over the lock of a dead run',
      'cp-1 waiting: waits for its turn',
      'cp-2 waiting: waits for its turn',
    ],
  )
})

test("shows the cluster's own step beside how far the run is", () => {
  assert.is(
    rowsAfter(({ type }) => type === 'step.started')[0],
    'cluster-7 working: upgrade to v1.13.9, 0 of 2 nodes done: Save a snapshot of etcd | took over the lock of a dead run',
  )
})

test('shows what a node does and waits for, and what it did last while it waits for its turn', () => {
  assert.equal(rowsAfter(({ type }) => type === 'waiting').slice(1), [
    'cp-1 working: Reboot | cp-1 to run with a new boot id: no answer',
    'cp-2 waiting: Pull the installer: done 7.0s',
  ])
})

test('counts a node as done when it finished its last planned step, before its verdict', () => {
  const rows = rowsAfter((event) => event.type === 'step.finished' && event.step === 'reboot')
  assert.is(rows[0], 'cluster-7 working: upgrade to v1.13.9, 1 of 2 nodes done | took over the lock of a dead run')
  assert.is(rows[1], 'cp-1 done: Reboot: done')
})

test('ends with the verdicts', () => {
  assert.equal(
    rowsAfter(() => false),
    [
      'cluster-7 failed: exit 1 after 16m15s',
      'cp-1 done: upgraded v1.13.5 → v1.13.9',
      'cp-2 failed: unreachable v1.13.5 → ?',
    ],
  )
})

const rows = (states: Row['state'][]): Row[] => [
  { name: 'cluster', state: 'working', text: '' },
  ...states.map(
    (state, i): Row => ({ name: `${state}-${i}`, state, text: '', ...(state === 'working' && { waits: 'x' }) }),
  ),
]

test('shows all rows with their waits where they fit', () => {
  const folded = foldRows(rows(['done', 'working', 'waiting']), 5)
  assert.equal([...folded.shown], ['cluster', 'working-1', 'waiting-2', 'done-0'])
  assert.equal([...folded.detailed], ['working-1'])
  assert.is(folded.rest, undefined)
})

test('drops what is waited for before it drops a row', () => {
  const folded = foldRows(rows(['done', 'working', 'waiting']), 4)
  assert.is(folded.shown.size, 4)
  assert.is(folded.detailed.size, 0)
})

test('keeps what failed and works where not all fit, and counts the others', () => {
  const folded = foldRows(rows(['done', 'waiting', 'working', 'done', 'failed', 'waiting']), 4)
  assert.equal([...folded.shown], ['cluster', 'failed-4', 'working-2', 'waiting-1'])
  assert.is(folded.rest, '+1 waiting, +2 done')
})

/** A terminal that keeps what was written to it. */
class Terminal extends Writable {
  readonly isTTY = true
  columns = 70
  rows = 24
  written = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString()
    done()
  }
  lastLines(): string[] {
    return stripVTControlCharacters(this.written)
      .split('\n')
      .map((line) => line.trimEnd())
  }
}

const listrOn = (terminal: Terminal, clearAtEnd = false) =>
  createListrView({ stderr: terminal as unknown as NodeJS.WriteStream, clearAtEnd, now: () => new Date() })

test('draws the end of a run whose events all came before listr2 had drawn anything', async () => {
  const terminal = new Terminal()
  const view = listrOn(terminal)
  for (const event of aRun) view.handle(event)
  await view.close()
  const lines = terminal.lastLines().join('\n')
  assert.match(lines, /✔ cp-1 +upgraded v1\.13\.5 → v1\.13\.9/)
  assert.match(lines, /✖ cp-2 +unreachable v1\.13\.5/)
})

test('leaves nothing on a terminal that gets the summary as well', async () => {
  const terminal = new Terminal()
  const view = listrOn(terminal, true)
  for (const event of aRun) view.handle(event)
  await view.close()
  assert.not.match(terminal.lastLines().at(-1) ?? '', /cp-/)
})

test('closes without a run, and gives stderr and SIGINT back', async () => {
  const terminal = new Terminal()
  const write = terminal.write
  const listeners = process.listenerCount('SIGINT')
  await listrOn(terminal).close()
  assert.is(terminal.written, '')
  const view = listrOn(terminal)
  const [, started] = aRun
  if (started !== undefined) view.handle(started)
  assert.is(process.listenerCount('SIGINT'), listeners)
  await view.close()
  assert.is(terminal.write, write)
})

test.run()
