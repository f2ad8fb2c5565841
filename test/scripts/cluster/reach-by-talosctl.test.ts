import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Entrance } from '../../../lab/lab-node.ts'
import { createTalos } from '../../../scripts/cluster/talos.ts'
import { createRun } from '../../../scripts/run.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import type { TalosctlName } from '../../../scripts/toolchain/tool-table.ts'
import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { FakeNode } from '../../lab/api/fake-node.ts'
import { freeNetwork } from '../../lab/api/free-network.ts'
import { type LabCluster, serveLabCluster } from '../../lab/api/lab-cluster.ts'
import { testPki } from '../../lab/api/test-pki.ts'

const test = suite('reach, by the real talosctl')

const names = ['k8s-1', 'k8s-2', 'k8s-3', 'w-1', 'w-2']
const fakes = names.map(
  (name, n) => new FakeNode(name, `${freeNetwork}.${n + 11}`, name.startsWith('w') ? { role: 'worker' } : {}),
)
const nodes = fakes.map(({ name, address, role }): NodeDeclaration => ({ name, address, role }))
let cluster: LabCluster

test.before(async () => {
  cluster = await serveLabCluster(fakes)
})
test.after(() => cluster.close())

/** Names of the nodes that are not reached, and whose stage can not be followed. */
async function lostBy(client: TalosctlName): Promise<string[]> {
  const tool = await resolveTool(client)
  if (!tool.found) throw new Error(tool.detail)
  const run = createRun({ paths: { talosctl: tool.path }, env: process.env })
  const talosconfig = await (await testPki()).talosconfigFor('os:admin')
  const endpoints = nodes.filter(({ role }) => role === 'controlplane').map(({ address }) => address)
  const talos = createTalos(run, { talosconfig, endpoints, nodes })
  const seen = await talos.observeNodes(nodes, { timeoutMs: 60_000 })
  const followed = new Set<string>()
  await Promise.all(
    nodes.map(async (node) => {
      const enough = new AbortController()
      const tell = () => {
        followed.add(node.name)
        enough.abort()
      }
      await talos.watchStage(node, tell, { signal: enough.signal, timeoutMs: 60_000 })
    }),
  )
  return nodes.flatMap(({ name }) => (seen[name]?.reachable === true && followed.has(name) ? [] : [name]))
}

const rows: readonly { title: string; entrances: (n: number, fake: FakeNode) => Entrance }[] = [
  {
    title: 'workers are reached through control planes only',
    entrances: (_, { role }) => (role === 'worker' ? 'silent' : 'open'),
  },
  {
    title: 'all are reached through one endpoint, and a proxy resets what goes past it',
    entrances: (n) => (n === 1 ? 'open' : 'resets'),
  },
]

for (const client of ['talosctl-1.13', 'talosctl-1.14'] as const)
  for (const { title, entrances } of rows)
    test(`${client}: ${title}`, async () => {
      for (const [n, fake] of fakes.entries()) fake.setEntrance(entrances(n, fake))
      assert.equal(await lostBy(client), [])
    })

test.run()
