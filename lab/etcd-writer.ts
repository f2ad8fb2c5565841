import { setTimeout } from 'node:timers/promises'
import { callEtcd } from './etcd-gateway.ts'
import type { EtcdMember } from './etcd-member.ts'
import type { LabLog } from './log.ts'

/** a write costs etcd three fsyncs; nothing but a member that is away makes one wait */
const calmMs = 500
const alertMs = 100
/** shorter pauses are the machine that the lab runs on, not etcd; while one lasts it is logged each time it doubled */
const noticedMs = 1500

/**
 * Puts a key through every member twice a second, and ten times while one of them is away, and logs where no write gets
 * through for long. A member that is not healthy by its own machine's state (down, starting) is left alone; its time
 * starts anew when it is healthy again.
 */
export function writeThroughAll(members: readonly EtcdMember[], log: LabLog): { stop(): Promise<void> } {
  const end = new AbortController()
  const writers = members.map((member) => writeThrough(member, members, log, end.signal))
  return {
    async stop() {
      end.abort()
      await Promise.all(writers)
    },
  }
}

async function writeThrough(
  member: EtcdMember,
  members: readonly EtcdMember[],
  log: LabLog,
  signal: AbortSignal,
): Promise<void> {
  const key = Buffer.from(`lab/${member.name}`).toString('base64')
  const none = () => ({ sinceMs: performance.now(), nextMs: noticedMs, running: members.length, reason: '' })
  let gap = none()
  while (!signal.aborted) {
    if (!member.healthy) {
      gap = none()
    } else {
      if (gap.reason === '') gap.sinceMs = performance.now()
      const failure = await put(member, key)
      const ms = Math.round(performance.now() - gap.sinceMs)
      gap.reason = failure ?? gap.reason
      gap.running = Math.min(gap.running, members.filter(({ pid }) => pid !== undefined).length)
      if (!member.healthy) continue
      const { running, reason } = gap
      const ended = failure === undefined
      if (ms > (ended ? noticedMs : gap.nextMs)) {
        gap.nextMs = ms * 2
        log.append({ type: 'etcd.gap', node: member.name, ms, running, ended, reason })
      }
      if (ended) gap = none()
    }
    await setTimeout(members.every(({ healthy }) => healthy) ? calmMs : alertMs)
  }
}

async function put(member: EtcdMember, key: string): Promise<string | undefined> {
  try {
    const value = Buffer.from(String(Date.now())).toString('base64')
    await callEtcd(member.clientUrl, '/v3/kv/put', { key, value }, { timeoutMs: 1000 })
    return undefined
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    // a raised alarm refuses writes by design: etcd is there and has a leader
    return message.includes('database space exceeded') ? undefined : message
  }
}
