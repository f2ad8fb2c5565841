import * as assert from 'uvu/assert'
import { eventually } from './eventually.ts'
import type { TestLab } from './lab.ts'

type Pod = {
  metadata: { deletionTimestamp?: string }
  spec: { nodeName?: string }
  status: { conditions?: { type: string; status: string }[] }
}

/**
 * Each node runs a pod of `web`, which could move, and one of `db`, which could not, as where the lab came up with as many of
 * both as there are nodes: what drains have moved stays where it went, and a node whose pods fit nowhere else is not drained.
 */
export async function loadAnew(lab: TestLab): Promise<void> {
  const kubectl = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.kubectl(argv)
    assert.is(code, 0, stderr)
    return stdout
  }
  await kubectl('rollout', 'restart', 'deployment/web')
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s')
  const nodes = Object.keys(lab.addresses).sort().join()
  for (const app of ['web', 'db']) {
    let seen = ''
    const isEverywhere = async () => {
      seen = await kubectl('get', 'pods', `--selector=app=${app}`, '--output=json')
      const { items: pods }: { items: Pod[] } = JSON.parse(seen)
      const run = pods.every(({ metadata, status }) => metadata.deletionTimestamp === undefined && isReady(status))
      const hosts = pods.map(({ spec }) => spec.nodeName)
      return (run && hosts.sort().join() === nodes) || undefined
    }
    await eventually(isEverywhere, () => `${app} does not run on each node: ${seen}`)
  }
}

const isReady = ({ conditions = [] }: Pod['status']): boolean =>
  conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
