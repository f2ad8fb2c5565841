/** Makes the commands of hints ones that can be typed as they stand. */
import { relative } from 'node:path'
import type { Cluster } from '../workflows/model/cluster.ts'
import type { RunEvent } from '../workflows/model/event.ts'
import type { Failure } from '../workflows/model/failure.ts'

export type Typable = {
  failure(failure: Failure): Failure
  event(event: RunEvent): RunEvent
}

/**
 * Plan and steps write `talosctl -n k8s-1 services`. Typed like that it would ask the cluster of another talosconfig, and
 * only where the name is known to DNS; so both are filled in, and a control plane where a command names no node.
 */
export function typable(cluster: Cluster, talosconfig: string): Typable {
  const near = relative('', talosconfig)
  const path = near.startsWith('..') ? talosconfig : near
  const addressOf = (name?: string): string | undefined =>
    cluster.nodes.find((n) => (name === undefined ? n.role === 'controlplane' : n.name === name))?.address
  const complete = (text: string): string =>
    text.replace(/\btalosctl (?!--talosconfig)(?:-n (\S+) )?/g, (_, name?: string) => {
      const node = addressOf(name) ?? name
      return `talosctl --talosconfig ${path} ${node === undefined ? '' : `-n ${node} `}`
    })
  const failure = (given: Failure): Failure =>
    given.hint === undefined ? given : { ...given, hint: complete(given.hint) }
  return {
    failure,
    event(event) {
      switch (event.type) {
        case 'step.failed':
          return { ...event, failure: failure(event.failure) }
        case 'verdict':
          return event.failure ? { ...event, failure: failure(event.failure) } : event
        case 'run.finished':
          return {
            ...event,
            failures: event.failures.map(failure),
            ...(event.next === undefined ? {} : { next: complete(event.next) }),
          }
        default:
          return event
      }
    },
  }
}
