/**
 * A process that races for locks when its parent says so: it is told a folder and a moment, and answers how it fared.
 * `turn` makes it wait for the lock, hold it for a moment and give it back.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { acquireLock } from '../../scripts/engine/lock.ts'

export type Race = { folder: string; at: number; kind: 'once' | 'turn' }

export type Fared =
  | { pid: number; got: true; from?: number | undefined; alone: boolean }
  | { pid: number; got: false; detail: string }

process.on('message', async ({ folder, at, kind }: Race) => {
  await pause(Math.max(0, at - Date.now() - 5))
  // the last milliseconds without the event loop, so that all begin in the same one
  while (Date.now() < at);
  for (;;) {
    const locked = acquireLock(folder, 'race')
    if (locked.ok) {
      const alone = kind === 'once' || (await isAloneIn(folder))
      if (kind === 'turn') locked.lock.release()
      process.send?.({ pid: process.pid, got: true, from: locked.lock.takenOverFrom?.pid, alone } satisfies Fared)
      return
    }
    if (kind === 'once') {
      process.send?.({ pid: process.pid, got: false, detail: locked.failure.detail ?? '' } satisfies Fared)
      return
    }
    await pause(20 * Math.random())
  }
})

async function isAloneIn(folder: string): Promise<boolean> {
  const mark = join(folder, 'inside')
  try {
    closeSync(openSync(mark, 'wx'))
  } catch {
    return false
  }
  await pause(1)
  rmSync(mark)
  return true
}

process.send?.('ready')
