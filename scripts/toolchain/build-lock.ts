import { setTimeout as pause } from 'node:timers/promises'
import { makeFolder } from '../disk/make-folder.ts'
import { acquireLock, type Locked } from '../engine/lock.ts'

const lookAgainMs = 200

/**
 * Holds the folder of a build for one process at a time; resolves to its release, once whoever builds there has ended.
 * Rejects when `signal` aborts, or when the folder can not be written. `onWait` hears once who holds it.
 */
export async function acquireBuildLock(
  folder: string,
  { signal, onWait }: { signal: AbortSignal; onWait: (holder: string) => void },
): Promise<() => void> {
  makeFolder(folder, 0o700)
  for (let told = false; ; told = true) {
    signal.throwIfAborted()
    const asked = acquireLock(folder, 'a build')
    if (asked.ok) return asked.lock.release
    if (!told) onWait(waitsFor(asked))
    await pause(lookAgainMs, undefined, { signal })
  }
}

const waitsFor = ({ holder, failure, isDoubtful }: Locked): string => {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'somebody'
  return isDoubtful ? `${who} (${failure.hint})` : who
}
