import * as assert from 'uvu/assert'
import type { NodeReport } from '../../lab/control.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { eventually } from './eventually.ts'
import type { TestLab } from './lab.ts'

const isWell = ({ reachability, stage, ready, etcd }: NodeReport): boolean =>
  reachability === 'answers' && stage === 'running' && ready && etcd?.healthy !== false

/** Resolves when every node is up and ready again, as after a cure; rejects with how they stand when they do not get so. */
export async function untilWell(lab: TestLab): Promise<void> {
  let nodes: NodeReport[] = []
  const look = async () => {
    nodes = (await lab.status()).nodes ?? []
    return nodes.every(isWell) ? nodes : undefined
  }
  await eventually(look, () => `not all nodes got well: ${JSON.stringify(nodes)}`)
}

/** What was done to the nodes since the lab is up, in its order: `install k8s-1`, `reboot k8s-1`. */
export function changesOf(log: readonly LoggedEvent[]): string[] {
  return log.flatMap((event) => {
    if (event.type === 'install.finished') return [`install ${event.node}`]
    if (event.type === 'reboot.requested') return [`reboot ${event.node}`]
    return []
  })
}

/** The nodes that a run cordoned, each once: `lab check` proves that they were then empty before they went down. */
export function cordonedIn(log: readonly LoggedEvent[]): string[] {
  return [...new Set(log.flatMap((event) => (event.type === 'node.cordoned' && event.run ? [event.node] : [])))].sort()
}

/** Every node runs `version` and is ready, no rule was broken, and each was installed to and rebooted that often. */
export async function assertUpgraded(
  lab: TestLab,
  version: string,
  times: Readonly<Record<string, readonly [installs: number, reboots: number]>>,
): Promise<void> {
  const { nodes = [] } = await lab.status()
  const found = nodes.map(({ name, version: runs, ready }) => `${name} ${runs} ${ready ? 'ready' : 'not ready'}`)
  assert.equal(
    found,
    nodes.map(({ name }) => `${name} ${version} ready`),
  )
  const changes = changesOf(lab.log())
  const count = (change: string) => changes.filter((other) => other === change).length
  assert.equal(
    Object.fromEntries(Object.keys(times).map((name) => [name, [count(`install ${name}`), count(`reboot ${name}`)]])),
    times,
  )
  assert.equal(lab.check(), [])
}
