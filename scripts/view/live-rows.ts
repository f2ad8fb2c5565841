/** What the rows of a live view say at one moment: a value that events change, with no terminal in it. */
import type { RunEvent } from '../../workflows/model/event.ts'
import { isGood, verdictText } from '../../workflows/model/verdict.ts'
import { durationText } from './duration-text.ts'
import { headline } from './headline.ts'

export type Row = {
  /** a node, or the cluster for what concerns all of it */
  name: string
  state: 'waiting' | 'working' | 'done' | 'failed'
  text: string
  /** when the present step began; only of rows that work */
  since?: number
  /** the condition that the present step watches */
  waits?: string
}

type Steps = Map<string, { title: string; since: number; waits?: string }>

export type LiveRows = {
  handle(event: RunEvent, at: number): void
  /** the cluster first, then the nodes in the order of the plan */
  rows(): Row[]
}

/** Rows for a run that has not begun; `run.started` names them, later events may add what the plan did not name. */
export function createLiveRows(): LiveRows {
  let cluster: string | undefined
  const rows = new Map<string, Row>()
  const open = new Map<string, Steps>()
  const lastSteps = new Map<string, string>()
  // the row of the cluster always works while the run does, and says how far it is
  let run: { text: string; since: number } | undefined
  let notice: string | undefined

  const rowOf = (node: string | undefined): Row => {
    const name = node ?? cluster ?? 'cluster'
    let row = rows.get(name)
    if (row === undefined) {
      row = { name, state: 'waiting', text: '' }
      rows.set(name, row)
    }
    return row
  }

  /** The step that was entered last is the one worth showing; with none open, the row rests until its next turn. */
  function showStep(row: Row, rest: string): void {
    if (row.state === 'done' || row.state === 'failed') return
    const present = [...(open.get(row.name)?.values() ?? [])].at(-1)
    delete row.since
    delete row.waits
    if (present === undefined) {
      row.state = 'waiting'
      row.text = rest
      return
    }
    row.state = 'working'
    row.text = present.title
    row.since = present.since
    if (present.waits !== undefined) row.waits = present.waits
  }

  function end(row: Row, state: 'done' | 'failed', text: string): void {
    open.delete(row.name)
    delete row.since
    delete row.waits
    row.state = state
    row.text = text
  }

  return {
    rows() {
      const nodes = [...rows.values()].filter(({ name }) => name !== cluster)
      const own = cluster === undefined ? undefined : rows.get(cluster)
      if (own === undefined || run === undefined) return own === undefined ? nodes : [own, ...nodes]
      const ended = nodes.filter(({ state }) => state === 'done' || state === 'failed').length
      const text = [
        `${run.text}, ${ended} of ${nodes.length} nodes done`,
        ...(own.state === 'working' ? [own.text] : []),
      ]
      const waits = own.waits ?? notice
      const shown: Row = { name: own.name, state: 'working', text: text.join(': '), since: run.since }
      return [waits === undefined ? shown : { ...shown, waits }, ...nodes]
    },
    handle(event, at) {
      switch (event.type) {
        case 'run.started':
          cluster = event.cluster
          rowOf(undefined)
          run = { text: `${headline(event.command, event.plan)}${event.resumed ? ', resumed' : ''}`, since: at }
          for (const { node, work, steps } of event.plan.nodes) {
            const row = rowOf(node)
            const final = steps.at(-1)
            if (final !== undefined) lastSteps.set(node, final)
            if (row.state === 'waiting' && row.text === '')
              row.text = work === 'none' ? 'nothing to do' : 'waits for its turn'
          }
          return
        case 'notice': {
          // many come before the run has rows, like that of a lock that was taken over
          if (event.node === undefined) notice = event.text
          const row = event.node === undefined ? undefined : rowOf(event.node)
          if (row?.state === 'waiting') row.text = event.text
          return
        }
        case 'step.started': {
          const row = rowOf(event.node)
          const steps: Steps = open.get(row.name) ?? new Map()
          open.set(row.name, steps.set(event.step, { title: event.title, since: at }))
          // a node with a verdict that works again, is worked on again
          if (row.state === 'failed' || row.state === 'done') row.state = 'waiting'
          return showStep(row, row.text)
        }
        case 'waiting': {
          const row = rowOf(event.node)
          const step = open.get(row.name)?.get(event.step)
          if (step === undefined) return
          step.waits = event.last === undefined ? event.for : `${event.for}: ${event.last}`
          return showStep(row, row.text)
        }
        case 'step.finished':
        case 'step.failed': {
          const row = rowOf(event.node)
          open.get(row.name)?.delete(event.step)
          // the verdict comes when the whole run ends, and until then the node has no more turns to wait for
          if (event.type === 'step.finished' && lastSteps.get(row.name) === event.step)
            return end(row, 'done', `${event.title}: done`)
          const how = event.type === 'step.failed' ? 'failed' : `done ${durationText(event.tookMs)}`
          return showStep(row, `${event.title}: ${how}`)
        }
        case 'verdict': {
          const { verdict, evidence, failure } = event
          const good = isGood(verdict) && failure === undefined
          const { version, versionBefore } = evidence
          const versions =
            version !== versionBefore && versionBefore ? `${versionBefore} → ${version ?? '?'}` : (version ?? '')
          return end(
            rowOf(event.node),
            good ? 'done' : 'failed',
            `${verdictText(verdict, evidence)} ${versions}`.trim(),
          )
        }
        case 'run.finished':
          run = undefined
          return end(
            rowOf(undefined),
            event.exitCode === 0 ? 'done' : 'failed',
            `${event.exitCode === 0 ? 'done' : `exit ${event.exitCode}`} after ${durationText(event.tookMs)}`,
          )
      }
    },
  }
}
