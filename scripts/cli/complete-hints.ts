/** Makes the commands of hints ones that can be typed as they stand. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AGAIN } from '../../workflows/model/again.ts'
import type { Cluster } from '../../workflows/model/cluster.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import type { Layout } from '../declaration/layout.ts'
import { forPeople } from '../declaration/load-cluster.ts'
import { runFolder } from '../engine/run-folder.ts'
import { shellWord } from './shell-word.ts'
import { workflowCommand } from './workflow-command.ts'

export type CompleteHints = {
  failure(failure: Failure): Failure
  event(event: RunEvent): RunEvent
}

/**
 * Plan and steps write `talosctl -n k8s-1 services`, `kubectl get nodes` and `workflows/gen-config.ts`. Typed like that they
 * would ask whatever cluster the person's own configuration names, and a node only where its name is known to DNS; so the
 * talosconfig or kubeconfig of this run, addresses, the cluster and its folder are filled in, and a control plane where
 * talosctl is given no node. A machine in maintenance gets the configuration that was generated for it. `again` is the
 * command that was typed.
 */
export function completeHints(
  cluster: Cluster,
  layout: Pick<Layout, 'root' | 'folder' | 'generated' | 'talosconfig' | 'kubeconfig'>,
  again: string,
): CompleteHints {
  const own = join(runFolder(layout.folder), 'kubeconfig')
  const shown = (path: string): string => shellWord(forPeople(path))
  const addressOf = (name?: string): string | undefined =>
    cluster.nodes.find((n) => (name === undefined ? n.role === 'controlplane' : n.name === name))?.address
  /** `node` is the one that the hint's failure is about. */
  const complete = (text: string, node?: string): string =>
    text
      .replace(AGAIN, () => again)
      .replace(/\btalosctl apply-config --insecure(?! -f)/, (said) => {
        const file = join(layout.folder, layout.generated, `${cluster.name}-${node}.yaml`)
        return node === undefined ? said : `talosctl -n ${node} apply-config --insecure -f ${shown(file)}`
      })
      .replace(/\btalosctl (?!--talosconfig)(?:-n (\S+) )?/g, (_, name?: string) => {
        const address = addressOf(name) ?? name
        return `talosctl --talosconfig ${shown(layout.talosconfig)} ${address === undefined ? '' : `-n ${address} `}`
      })
      .replace(/\bkubectl (?!--kubeconfig)/g, () => {
        const kubeconfig = existsSync(layout.kubeconfig) ? layout.kubeconfig : own
        return `kubectl --kubeconfig ${shown(kubeconfig)} `
      })
      // one with a program before it is whole, wherever its flags stand
      .replace(/(?<!\S)(?<!tsx )workflows\/([\w-]+)\.ts(?! --cluster)/g, (_, name: string) =>
        workflowCommand(name, cluster.id, layout.root),
      )
  const failure = (given: Failure): Failure =>
    given.hint === undefined ? given : { ...given, hint: complete(given.hint, given.node) }
  return {
    failure,
    event(event) {
      switch (event.type) {
        case 'step.failed':
          return { ...event, failure: failure(event.failure) }
        case 'verdict':
          return event.failure ? { ...event, failure: failure(event.failure) } : event
        case 'run.finished': {
          const { next } = event
          const about = event.failures.find(({ hint }) => hint === next)?.node
          return {
            ...event,
            failures: event.failures.map(failure),
            ...(next === undefined ? {} : { next: complete(next, about) }),
          }
        }
        default:
          return event
      }
    },
  }
}
