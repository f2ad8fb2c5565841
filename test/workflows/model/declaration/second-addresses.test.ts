import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { namedNodes } from '../../../../scripts/cli/named-nodes.ts'
import { layOut } from '../../../../scripts/tools/talosctl/observe-etcd.ts'
import type { Cluster } from '../../../../workflows/model/cluster.ts'
import { parseTalconfig } from '../../../../workflows/model/declaration/parse-talconfig.ts'
import { parseTalenv } from '../../../../workflows/model/declaration/parse-talenv.ts'
import { goesBy } from '../../../../workflows/model/goes-by.ts'
import { membersAmong, ownNodes } from '../../../../workflows/plan/identity.ts'
import { kubeNode } from '../../../support/kubernetes-facts.ts'

const test = suite('second addresses')

const cluster = `  name: cluster-7
  id: 7
  endpoint: https://10.0.0.10:6443
  talosVersion: v1.13.9
  kubernetesVersion: 1.36.1
`
const talenv = `cluster:
${cluster}nodes:
  - hostname: cp-1
    ipAddress: [10.0.0.11, "fd00::11"]
    controlPlane: true
    interfaces:
      - name: enp3s0
        addresses: [10.0.0.11/24, 10.9.0.11/16]
  - hostname: w-1
    ipAddress: 10.0.0.21
`
const talconfig = `clusterName: cluster-7
endpoint: https://10.0.0.10:6443
talosVersion: v1.13.9
kubernetesVersion: v1.36.1
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11, fd00::11
    controlPlane: true
`
const declared = (): Cluster => {
  const parsed = parseTalenv({ talenv: { path: 'clusters/cluster-7/talenv.yaml', text: talenv } })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems.map(({ message }) => message)))
  return parsed.value.cluster
}

test('are those that the declaration gives a node, each once', () => {
  const [first, second] = declared().nodes
  assert.equal([first?.address, first?.otherAddresses], ['10.0.0.11', ['fd00::11', '10.9.0.11']])
  assert.equal([second?.address, second?.otherAddresses], ['10.0.0.21', undefined])
  const parsed = parseTalconfig({ talconfig: { path: 'talconfig.yaml', text: talconfig } })
  assert.ok(parsed.ok)
  const [node] = parsed.value.cluster.nodes
  assert.equal([node?.address, node?.otherAddresses], ['10.0.0.11', ['fd00::11']])
})

test('tell a node, as its host name does, in whatever spelling', () => {
  const [node] = declared().nodes
  if (!node) throw new Error('no node')
  const words = ['cp-1', 'CP-1.home.arpa', '10.9.0.11', 'fd00:0:0::11', '10.0.0.21', 'cp-10', 'home.arpa', '']
  assert.equal(
    words.filter((word) => goesBy(node, word)),
    ['cp-1', 'CP-1.home.arpa', '10.9.0.11', 'fd00:0:0::11'],
  )
})

test('are taken by --nodes', () => {
  assert.equal(namedNodes(declared(), ['10.9.0.11', 'fd00::11', 'w-1']), { ok: true, value: ['cp-1', 'w-1'] })
})

test('tell whose etcd member and whose Node it is', () => {
  const { nodes } = declared()
  const [controlPlane] = nodes
  if (!controlPlane) throw new Error('no node')
  const members = [{ id: '1', hostname: 'renamed', peerUrls: ['https://[fd00::11]:2380'], learner: false }]
  const etcd = layOut([controlPlane], new Map([['cp-1', { members }]]))
  assert.equal([etcd.members[0]?.id, etcd.undeclared], ['1', []])
  const asWorker = { ...controlPlane, role: 'worker' as const }
  const undeclared = [{ id: '1', hostname: 'renamed', learner: false, addresses: ['10.9.0.11'] }]
  assert.equal(membersAmong([asWorker], { undeclared }, {}), [asWorker])
  const { node } = ownNodes(controlPlane, undefined, [kubeNode('renamed', '10.9.0.11')])
  assert.is(node?.name, 'renamed')
})

test.run()
