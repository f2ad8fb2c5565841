import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseTalenv } from '../../../../workflows/model/declaration/parse-talenv.ts'
import { type Problem, problemText } from '../../../../workflows/model/problem.ts'

const path = 'clusters/cluster-7/talenv.yaml'

const good = `cluster:
  name: cluster-7
  id: 7
  endpoint: https://10.0.0.10:6443
  vip: 10.0.0.10
  talosVersion: v1.13.9
  kubernetesVersion: 1.36.1
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
  - hostname: worker-1
    ipAddress: 10.0.0.21
`

const problemsOf = (text: string): string[] => {
  const parsed = parseTalenv({ talenv: { path, text } })
  return parsed.ok ? [] : parsed.problems.map((problem) => problemText(problem).replace(`${path}:`, ''))
}

test('reads a structured talenv, with versions in one form and the policy at its defaults', () => {
  const parsed = parseTalenv({ talenv: { path, text: good } })
  assert.ok(parsed.ok)
  const { operations, ...cluster } = parsed.value.cluster
  assert.equal(cluster, {
    id: '7',
    name: 'cluster-7',
    talosVersion: 'v1.13.9',
    kubernetesVersion: 'v1.36.1',
    endpointHost: '10.0.0.10',
    vip: '10.0.0.10',
    nodes: [
      { name: 'cp-1', address: '10.0.0.11', role: 'controlplane' },
      { name: 'worker-1', address: '10.0.0.21', role: 'worker' },
    ],
  })
  assert.is(operations.etcd.lagBound, 1000)
})

test('warns of a release that was taken back, and of one that the table does not know', () => {
  const warningsOf = (version: string) => {
    const parsed = parseTalenv({ talenv: { path, text: good.replace('v1.13.9', version) } })
    assert.ok(parsed.ok)
    return parsed.warnings.map((problem) => problemText(problem).replace(`${path}:`, ''))
  }
  assert.equal(warningsOf('v1.13.9'), [])
  assert.match(
    warningsOf('v1.13.1').join(),
    /^6:17: warning: Talos v1\.13\.1 was withdrawn: .* \(talosVersion: v1\.13\.\d+\)$/,
  )
  assert.match(warningsOf('v1.20.0').join(), /^6:17: warning: Talos v1\.20\.0 is not in the compatibility table/)
})

test('keeps a declared contract in one form, also that of operations.yaml, and takes none that is not ours', () => {
  const parsed = (contract: string, operations = '{}') =>
    parseTalenv({
      talenv: { path, text: good.replace('  id: 7\n', `  id: 7\n${contract}`) },
      operations: { path: 'operations.yaml', text: operations },
    })
  const kept = (...given: Parameters<typeof parsed>) => {
    const { value } = parsed(...given) as { value: { cluster: { talosContract?: string } } }
    return value.cluster.talosContract
  }
  assert.is(kept(''), undefined)
  assert.is(kept('  talosContract: "1.12"\n'), 'v1.12')
  assert.is(kept('', 'generate: {contract: v1.13}'), 'v1.13')
  assert.is(kept('  talosContract: v1.12\n', 'generate: {contract: v1.13}'), 'v1.12')
  const said = (...given: Parameters<typeof parsed>) => {
    const { problems } = parsed(...given) as { problems: Problem[] }
    return problems.map(problemText).join('\n')
  }
  assert.is(
    said('  talosContract: v1.13.9\n'),
    `${path}:4:18: cluster.talosContract "v1.13.9" is not a minor release such as v1.13`,
  )
  assert.match(
    said('  talosContract: v1.14\n'),
    'cluster.talosContract "v1.14" is newer than v1.13, the newest that is generated',
  )
  assert.match(said('  talosContract: 1.10\n'), 'cluster.talosContract should be text')
  assert.match(
    said('', 'generate: {contract: v1.14}'),
    'operations.yaml:1:22: generate.contract "v1.14" is newer than v1.13',
  )
})

test('refuses a contract that the declared release can not read', () => {
  const text = good.replace('v1.13.9', 'v1.12.9\n  talosContract: v1.13').replace('1.36.1', '1.35.1')
  assert.equal(problemsOf(text), [
    '7:18: configurations in the form of v1.13 can not be read by Talos v1.12.9 (talosContract: v1.12)',
  ])
})

test('keeps a declared schematic with its extensions, and takes IPv6 in its one spelling', () => {
  const schematic = 'ab'.repeat(32)
  const text = good.replace(
    '10.0.0.11',
    `2001:DB8:0::11\n    schematic: ${schematic}\n    extensions: [siderolabs/lldpd]`,
  )
  const parsed = parseTalenv({ talenv: { path, text } })
  assert.ok(parsed.ok)
  assert.equal(parsed.value.cluster.nodes[0], {
    name: 'cp-1',
    address: '2001:db8::11',
    role: 'controlplane',
    schematic,
    extensions: ['siderolabs/lldpd'],
  })
})

test('tolerates keys that other tools want in talenv', () => {
  assert.equal(problemsOf(good.replace('  id: 7', '  id: 7\n  podSubnets: [10.42.0.0/16]')), [])
})

/** what is replaced in the good file, by what, and everything that must be said about it */
const table: [behaviour: string, from: string | RegExp, to: string, problems: string[]][] = [
  ['a tab', '  - hostname: cp-1', '\t- hostname: cp-1', ['9:1: Tabs are not allowed as indentation (use spaces)']],
  [
    'a duplicate key',
    '  id: 7',
    '  id: 7\n  id: 7',
    ['4:3: the key id is there twice (only one of the two can be meant)'],
  ],
  ['an alias of itself', '  vip: 10.0.0.10', '  own: &own [*own]', ['5:14: *own is part of what it stands for']],
  [
    'a template that was never rendered',
    'ipAddress: 10.0.0.11',
    'ipAddress: {{ address }}',
    ['10:17: a map or a list can not be a key (put {{ … }} in quotes)'],
  ],
  [
    'aliases that fill the memory',
    '  vip: 10.0.0.10',
    ['a', 'b', 'c', 'd']
      .map((name, index) => `  ${name}: &${name} [${Array(12).fill(index === 0 ? 1 : `*${'abcd'[index - 1]}`)}]`)
      .join('\n'),
    ['1:1: the aliases of this file stand for too much (Excessive alias count indicates a resource exhaustion attack)'],
  ],
  ['an unknown alias', '  vip: 10.0.0.10', '  vip: *virtual', ['5:8: no anchor is called &virtual']],
  ['a missing address', '    ipAddress: 10.0.0.11\n', '', ['9:5: nodes[0].ipAddress is missing']],
  ['a missing host name', '- hostname: cp-1\n    ip', '- ip', ['9:5: nodes[0].hostname is missing']],
  [
    'an empty value',
    'ipAddress: 10.0.0.11',
    'ipAddress:',
    ['10:15: nodes[0].ipAddress is empty (expected text or a list)'],
  ],
  ['a missing key of the cluster', '  name: cluster-7\n', '', ['1:1: cluster.name is missing']],
  ['what is no address', '10.0.0.11', '10.0.0.256', ['10:16: nodes[0].ipAddress "10.0.0.256" is not an IP address']],
  [
    'an address of inet_aton',
    '10.0.0.11',
    '10.11',
    ['10:16: nodes[0].ipAddress should be text or a list, not 10.11 (put it in quotes: YAML reads 10.11 as a number)'],
  ],
  [
    "another node's address",
    '10.0.0.21',
    '10.0.0.11',
    ['13:16: two nodes have the address 10.0.0.11 (the other one is on line 10)'],
  ],
  [
    "another node's name",
    'worker-1',
    'cp-1',
    ['12:15: two nodes have the host name cp-1 (the other one is on line 9)'],
  ],
  [
    'the virtual IP as an address',
    '10.0.0.11',
    '10.0.0.10',
    ["10:16: 10.0.0.10 is the virtual IP of the cluster (a node's own address never moves to another node)"],
  ],
  [
    'no control plane',
    'controlPlane: true',
    'controlPlane: false',
    ['8:1: no node is a control plane (give at least one node controlPlane: true)'],
  ],
  [
    'a boolean of YAML 1.1',
    'controlPlane: true',
    'controlPlane: yes',
    [
      '11:19: nodes[0].controlPlane should be true or false, not "yes" (write true or false without quotes; only YAML 1.1 took yes and on for booleans)',
    ],
  ],
  [
    'a version that is a number',
    'v1.13.9',
    '1.13',
    ['6:17: cluster.talosVersion should be text, not 1.13 (put it in quotes: YAML reads 1.13 as a number)'],
  ],
  ['half a version', '1.36.1', 'v1.36', ['7:22: cluster.kubernetesVersion "v1.36" is not a version such as v1.13.9']],
  [
    'a name that is not the folder',
    'name: cluster-7',
    'name: cluster-8',
    ['2:9: cluster.name is "cluster-8", but the folder is called cluster-7 (both must be the same)'],
  ],
  [
    'an id that is not the folder',
    'id: 7',
    'id: 8',
    ['3:7: cluster.id is 8, but the folder is called cluster-7 (expected cluster-8)'],
  ],
  [
    'an endpoint without https',
    'https://10.0.0.10:6443',
    '10.0.0.10',
    ['4:13: cluster.endpoint "10.0.0.10" is not an address such as https://10.0.0.10:6443'],
  ],
  ['a host name in capitals', 'cp-1', 'CP_1', ['9:15: nodes[0].hostname "CP_1" is not a host name']],
  [
    'half a schematic',
    'controlPlane: true',
    'schematic: 37656\n    controlPlane: true',
    ['11:16: nodes[0].schematic should be text, not 37656 (put it in quotes: YAML reads 37656 as a number)'],
  ],
  [
    'a mistyped key',
    'ipAddress: 10.0.0.11',
    'ipAdress: 10.0.0.11',
    ['9:5: nodes[0].ipAddress is missing', '10:5: nodes[0].ipAdress is not a known key (did you mean ipAddress?)'],
  ],
  ['nodes that are no list', /nodes:[\s\S]*/, 'nodes: cp-1\n', ['8:8: nodes should be a list, not "cp-1"']],
  ['no node', /nodes:[\s\S]*/, 'nodes: []\n', ['8:8: nodes a list names no node']],
  ['no nodes at all', /nodes:[\s\S]*/, '', ['1:1: nodes is missing']],
  [
    'a node that is a list',
    /- hostname: cp-1[\s\S]*?true/,
    '- [cp-1]',
    [
      '9:5: nodes[0] should be a map, not a list',
      '8:1: no node is a control plane (give at least one node controlPlane: true)',
    ].reverse(),
  ],
  [
    'an open bracket',
    '  vip: 10.0.0.10',
    '  vip: [10.0.0.10',
    ['6:3: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  ['an empty file', /[\s\S]*/, '', ['1:1: the file is empty']],
]

for (const [behaviour, from, to, problems] of table) {
  test(`tells where ${behaviour} stands`, () => {
    const text = good.replace(from, to)
    assert.is.not(text, good)
    assert.equal(problemsOf(text), problems)
  })
}

test('tells all mistakes of both files at once', () => {
  const text = good
    .replace('  id: 7', '  id: 7\n  id: 7')
    .replace('10.0.0.21', '10.0.0.11')
    .replace('v1.13.9', 'latest')
  const operations = { path: 'clusters/cluster-7/operations.yaml', text: 'etcd:\n  lagbound: 5\n' }
  const parsed = parseTalenv({ talenv: { path, text }, operations })
  if (parsed.ok) return assert.unreachable('it should have problems')
  assert.equal(
    parsed.problems.map(({ file, line }) => `${file.split('/').at(-1)}:${line}`),
    ['talenv.yaml:4', 'talenv.yaml:7', 'talenv.yaml:14', 'operations.yaml:2'],
  )
})

test.run()
