import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseNodesAndCluster } from '../../../../workflows/model/declaration/parse-nodes-and-cluster.ts'
import { nthHost } from '../../../../workflows/model/nth-host.ts'
import { problemText } from '../../../../workflows/model/problem.ts'

const schematic = 'ab'.repeat(32)
const node = (name: string, last: number, more = ''): string =>
  `  - {name: ${name}, address: 192.168.42.${last}, controller: ${last < 20}, disk: /dev/sda, mac_addr: "02:00:5e:10:00:${last}", schematic_id: ${schematic}${more}}\n`

const parse = (nodes: string, settings = '', pins = 'talosVersion: 1.13.9\nkubernetesVersion: v1.36.1\nown: 1\n') =>
  parseNodesAndCluster({
    nodes: { path: 'nodes.yaml', text: `nodes:\n${nodes}` },
    clusterYaml: {
      path: 'cluster.yaml',
      text: `node_cidr: 192.168.42.0/24\ncluster_api_addr: 192.168.42.10\n${settings}`,
    },
    pins: { path: 'talenv.yaml', text: pins },
    name: 'home',
  })

test('makes a cluster of the three files, called as it says or as its folder', () => {
  const parsed = parse(node('k8s-1', 11) + node('k8s-2', 22))
  assert.ok(parsed.ok)
  const { operations, ...cluster } = parsed.value.cluster
  assert.equal(cluster, {
    id: 'home',
    name: 'home',
    talosVersion: 'v1.13.9',
    kubernetesVersion: 'v1.36.1',
    endpointHost: '192.168.42.10',
    vip: '192.168.42.10',
    nodes: [
      { name: 'k8s-1', address: '192.168.42.11', role: 'controlplane', schematic },
      { name: 'k8s-2', address: '192.168.42.22', role: 'worker', schematic },
    ],
  })
  assert.is(operations.upgrade.maxUnavailable, 1)
  assert.equal(parsed.value.variables, { talosVersion: '1.13.9', kubernetesVersion: 'v1.36.1', own: '1' })
  const named = parse(node('k8s-1', 11), 'cluster_name: cluster-7\n')
  assert.ok(named.ok)
  assert.is(named.value.cluster.name, 'cluster-7')
  assert.is(named.value.cluster.id, '7')
})

test("gives templates cluster-template's defaults, and every key of a person's own", () => {
  const parsed = parse(node('k8s-1', 11, ', rack: a'), 'own_key: {a: 1}\n')
  assert.ok(parsed.ok)
  assert.equal(parsed.value.values, {
    node_dns_servers: ['1.1.1.1', '1.0.0.1'],
    node_ntp_servers: ['162.159.200.1', '162.159.200.123'],
    cluster_pod_cidr: '10.42.0.0/16',
    cluster_svc_cidr: '10.43.0.0/16',
    repository_branch: 'main',
    repository_visibility: 'public',
    cilium_loadbalancer_mode: 'dsr',
    node_default_gateway: '192.168.42.1',
    cilium_bgp_enabled: false,
    spegel_enabled: false,
    node_cidr: '192.168.42.0/24',
    cluster_api_addr: '192.168.42.10',
    own_key: { a: 1 },
    nodes: [
      {
        name: 'k8s-1',
        address: '192.168.42.11',
        controller: true,
        disk: '/dev/sda',
        mac_addr: '02:00:5e:10:00:11',
        schematic_id: schematic,
        rack: 'a',
      },
    ],
  })
})

test('turns BGP on when all of it is there, and spegel when there are several nodes', () => {
  const bgp = 'cilium_bgp_router_addr: 192.168.42.1\ncilium_bgp_router_asn: "64513"\ncilium_bgp_node_asn: 64514\n'
  const parsed = parse(
    node('k8s-1', 11) + node('k8s-2', 12) + node('k8s-3', 13),
    `${bgp}node_default_gateway: 192.168.42.2\n`,
  )
  assert.ok(parsed.ok)
  assert.is(parsed.value.values.cilium_bgp_enabled, true)
  assert.is(parsed.value.values.spegel_enabled, true)
  assert.is(parsed.value.values.node_default_gateway, '192.168.42.2')
})

test('warns of a key in the TPM without Secure Boot', () => {
  const parsed = parse(node('k8s-1', 11, ', encrypt_disk: true'))
  assert.ok(parsed.ok)
  assert.equal(parsed.warnings.map(problemText), [
    'nodes.yaml:2:202: warning: a key in the TPM is released to whatever boots, unless Secure Boot is on (secureboot: true, or encrypt_disk: false)',
  ])
  const secure = parse(node('k8s-1', 11, ', encrypt_disk: true, secureboot: true'))
  assert.ok(secure.ok)
  assert.equal(secure.warnings, [])
})

test('never shows the token, whatever is wrong with it', () => {
  for (const token of ['12345678', '[s3cret]', '{s3cret: 12345678}', '""', 's3cret: 12345678']) {
    const parsed = parse(node('k8s-1', 11), `cloudflare_token: ${token}\n`)
    assert.not(parsed.ok, token)
    if (!parsed.ok) assert.not.match(JSON.stringify(parsed.problems), /s3cret|12345678/)
  }
})

test('counts addresses of a network', () => {
  assert.is(nthHost('192.168.42.77/24', 1), '192.168.42.1')
  assert.is(nthHost('10.0.0.0/8', 65_536), '10.1.0.0')
  assert.is(nthHost('192.168.42.0/30', 4), undefined)
  assert.is(nthHost('192.168.42.0/30', -1), undefined)
  assert.is(nthHost('fd00::/64', 1), undefined)
  assert.is(nthHost('nonsense', 1), undefined)
})

test.run()
