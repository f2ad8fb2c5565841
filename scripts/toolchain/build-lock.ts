import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const heartbeatMs = 2_000
const staleAfterMs = 30_000
const lookAgainMs = 200

/**
 * Holds the folder of a build for one process at a time; resolves to its release. The lock is the highest numbered
 * `lock.<n>`: taking over a stale one creates the next number, so two that see the same dead holder cannot both win.
 * Rejects when `signal` aborts. `onWait` hears once who holds it.
 */
export async function acquireBuildLock(
  folder: string,
  { signal, onWait }: { signal: AbortSignal; onWait: (holder: string) => void },
): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true })
  let told = false
  for (;;) {
    signal.throwIfAborted()
    const highest = await highestLock(folder)
    const holder = highest === 0 ? undefined : await liveHolder(lockPath(folder, highest))
    if (holder === undefined) {
      const release = await claim(folder, highest + 1)
      if (release) return release
      continue
    }
    if (!told) onWait(holder)
    told = true
    await pause(lookAgainMs, undefined, { signal })
  }
}

async function claim(folder: string, number: number): Promise<(() => Promise<void>) | undefined> {
  const path = lockPath(folder, number)
  try {
    await writeFile(path, `${process.pid}\n${hostname()}\n`, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
  // Someone who took over a higher number meanwhile is the holder.
  if ((await highestLock(folder)) !== number) {
    await rm(path, { force: true })
    return undefined
  }
  for (const lower of (await locks(folder)).filter((n) => n < number))
    await rm(lockPath(folder, lower), { force: true })
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), heartbeatMs)
  beat.unref()
  return async () => {
    clearInterval(beat)
    await rm(path, { force: true })
  }
}

/** Names the holder of a lock; undefined when it is gone: its process ended, or it stopped to give signs of life. */
async function liveHolder(path: string): Promise<string | undefined> {
  try {
    const [pid = '', host = ''] = (await readFile(path, 'utf8')).split('\n')
    if (Date.now() - (await stat(path)).mtimeMs > staleAfterMs) return undefined
    // Between its creation and its first line a lock names nobody yet.
    if (host === '') return 'another process'
    return host !== hostname() || runs(Number(pid)) ? `process ${pid} on ${host}` : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const lockPath = (folder: string, number: number): string => join(folder, `lock.${number}`)

async function locks(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((name) => /^lock\.(\d+)$/.exec(name)?.slice(1).map(Number) ?? [])
}

const highestLock = async (folder: string): Promise<number> => Math.max(0, ...(await locks(folder)))
