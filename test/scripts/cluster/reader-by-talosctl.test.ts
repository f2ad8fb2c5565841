import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createTalos } from '../../../scripts/cluster/talos.ts'
import { createRun } from '../../../scripts/run.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import { deniedOnce } from '../../../scripts/tools/talosctl/role-failures.ts'
import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { FakeNode } from '../../lab/api/fake-node.ts'
import { freeNetwork } from '../../lab/api/free-network.ts'
import { type LabCluster, serveLabCluster } from '../../lab/api/lab-cluster.ts'
import { testPki } from '../../lab/api/test-pki.ts'

const test = suite('os:reader, by the real talosctl')

const fakes = [
  new FakeNode('k8s-1', `${freeNetwork}.11`, { version: 'v1.14.1' }),
  new FakeNode('w-1', `${freeNetwork}.12`, { version: 'v1.14.1', role: 'worker' }),
]
const nodes = fakes.map(({ name, address, role }): NodeDeclaration => ({ name, address, role }))
const time = { timeoutMs: 60_000 }
let cluster: LabCluster

test.before(async () => {
  cluster = await serveLabCluster(fakes)
})
test.after(() => cluster.close())

for (const client of ['talosctl-1.13', 'talosctl-1.14'] as const)
  test(`${client}: stages and services are told, boot ids and configurations are not, and that is said once`, async () => {
    const tool = await resolveTool(client)
    if (!tool.found) throw new Error(tool.detail)
    const run = createRun({ paths: { talosctl: tool.path }, env: process.env })
    const talosconfig = await (await testPki()).talosconfigFor('os:reader')
    const talos = createTalos(run, { talosconfig, endpoints: nodes.slice(0, 1).map(({ address }) => address), nodes })
    const reason = (one: { failure?: { reason: string } } | undefined) => one?.failure?.reason ?? 'told'
    const of = <T extends object>(answers: Record<string, T>) => nodes.map(({ name }) => reason(answers[name]))

    assert.equal(of(await talos.stages(nodes, time)), ['told', 'told'])
    assert.equal(of(await talos.configurations(nodes, time)), ['permission-denied', 'permission-denied'])
    const [etcd] = (await talos.observeEtcd(nodes.slice(0, 1), time)).members
    assert.is.not(etcd?.failure?.reason, 'permission-denied', JSON.stringify(etcd))
    const seen = await talos.observeNodes(nodes, time)
    assert.equal(of(seen), ['permission-denied', 'permission-denied'])
    const failures = Object.values(seen).flatMap((one) => (one.reachable ? [] : [one.failure]))
    assert.equal(
      deniedOnce(failures, { roles: ['os:reader'], talosconfig: '/t' }).map(({ detail }) => detail),
      ['/t has the role os:reader, and what was asked needs os:admin'],
    )
  })

test.run()
