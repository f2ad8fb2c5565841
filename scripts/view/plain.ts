import type { RunEvent } from '../../workflows/model/event.ts'
import { verdictText } from '../../workflows/model/verdict.ts'
import { durationText } from './duration-text.ts'
import { failureText } from './failure-text.ts'
import { headline } from './headline.ts'
import { redact } from './redact.ts'
import type { View } from './view.ts'

/** A line that says the same as the last one of its node is worth a reminder this often, and no more. */
const REMIND_MS = 30_000

/** One line an event, for logs and pipes: `12:03:07 k8s-1 reboot finished 41s`. */
export function createPlainView({ write, now }: { write: (text: string) => void; now: () => Date }): View {
  let cluster = 'cluster'
  const waits = new Map<string, { for: string; at: number }>()
  // the verdict of a node mostly repeats the failure of its last step
  const told = new Set<string>()
  const say = (subject: string | undefined, text: string) =>
    write(`${clock(now())} ${subject ?? cluster} ${redact(text)}\n`)

  /** A watch that looks twice a second must not fill a log: only what is waited for counts as news, not how it stands. */
  function isNews(key: string, condition: string): boolean {
    const last = waits.get(key)
    const at = now().getTime()
    if (last !== undefined && last.for === condition && at - last.at < REMIND_MS) return false
    waits.set(key, { for: condition, at })
    return true
  }

  return {
    async close() {},
    handle(event: RunEvent) {
      switch (event.type) {
        case 'run.started':
          cluster = event.cluster
          say(
            undefined,
            `${headline(event.command, event.plan)} ${event.resumed ? 'resumes' : 'starts'}, run ${event.run}`,
          )
          return
        case 'notice':
          say(event.node, event.text)
          return
        case 'step.started':
          say(event.node, `${event.step} started`)
          return
        case 'waiting':
          if (isNews(`${event.node ?? ''} ${event.step}`, event.for))
            say(event.node, `${event.step} waits for ${event.for}${event.last === undefined ? '' : `: ${event.last}`}`)
          return
        case 'step.finished':
          waits.delete(`${event.node ?? ''} ${event.step}`)
          say(
            event.node,
            `${event.step} finished ${durationText(event.tookMs)}${event.detail ? `, ${event.detail}` : ''}`,
          )
          return
        case 'step.failed':
          waits.delete(`${event.node ?? ''} ${event.step}`)
          told.add(failureText(event.failure))
          say(event.node, `${event.step} failed after ${durationText(event.tookMs)}: ${failureText(event.failure)}`)
          return
        case 'verdict': {
          const news = event.failure === undefined || told.has(failureText(event.failure)) ? undefined : event.failure
          say(
            event.node,
            `is ${verdictText(event.verdict, event.evidence)}${news === undefined ? '' : `: ${failureText(news)}`}`,
          )
          return
        }
        case 'run.finished':
          say(undefined, `ends with exit ${event.exitCode} after ${durationText(event.tookMs)}`)
      }
    },
  }
}

const clock = (at: Date): string => at.toTimeString().slice(0, 8)
