import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseOperations } from '../../../../workflows/model/declaration/parse-operations.ts'
import { problemText } from '../../../../workflows/model/problem.ts'

const parse = (text: string) => parseOperations({ path: 'operations.yaml', text })
const problemsOf = (text: string) => parse(text).problems.map(problemText)

const example = readFileSync(new URL('../../../../clusters/cluster-101/operations.yaml', import.meta.url), 'utf8')

test('takes the defaults where nothing is said, also without a file', () => {
  const defaults = parseOperations().value
  assert.is(defaults?.upgrade.pullParallelism, 4)
  assert.is(defaults?.deadlines.rebootMs, 15 * 60_000)
  assert.equal(parse('# only a comment\n').value, defaults)
  assert.equal(parse('etcd: {}\n').value, defaults)
})

test('has the defaults that the example shows in its comments', () => {
  const uncommented = example.replace(/^#(?=\S)/gm, '').replace(/^#(?= {2}\S)/gm, '')
  assert.match(uncommented, /^ {2}keepSnapshots: /m)
  assert.equal(parse(example), parseOperations())
  assert.equal(parse(uncommented), parseOperations())
})

test('takes a command for after the run, and no empty one', () => {
  assert.is(parse('after: mail -s Talos me\n').value?.after, 'mail -s Talos me')
  assert.equal(problemsOf("after: ''\n"), ['operations.yaml:1:8: after "" is empty'])
  assert.not.ok(Object.hasOwn(parseOperations().value ?? {}, 'after'))
})

test('takes what is said and leaves the rest at its default', () => {
  const { value, problems } = parse(
    'upgrade:\n  maxUnavailable: 3\netcd:\n  acceptOutage: true\ndeadlines:\n  pull: 1h30m\n',
  )
  assert.equal(problems, [])
  assert.equal(value?.upgrade, {
    maxUnavailable: 3,
    workersBesideControlPlanes: false,
    soakMs: 5_000,
    pullParallelism: 4,
    factory: 'factory.talos.dev',
  })
  assert.is(value?.etcd.acceptOutage, true)
  assert.is(value?.deadlines.pullMs, 90 * 60_000)
})

const table: [behaviour: string, text: string, problems: string[]][] = [
  [
    'a mistyped key',
    'etcd:\n  acceptOutge: true\n',
    ['operations.yaml:2:3: etcd.acceptOutge is not a known key (did you mean acceptOutage?)'],
  ],
  [
    'a key that nothing resembles',
    'windows: []\n',
    [
      'operations.yaml:1:1: windows is not a known key (known are upgrade, etcd, drain, access, gates, templates, generate, deadlines, after)',
    ],
  ],
  [
    'a number where a duration belongs',
    'deadlines:\n  pull: 600\n',
    ['operations.yaml:2:9: deadlines.pull should be text, not 600 (put it in quotes: YAML reads 600 as a number)'],
  ],
  [
    'what is no duration',
    'deadlines:\n  pull: ten minutes\n',
    ['operations.yaml:2:9: deadlines.pull "ten minutes" is not a duration such as 90s, 10m or 1h30m'],
  ],
  [
    'nobody at a time',
    'upgrade: {maxUnavailable: 0}\n',
    ['operations.yaml:1:27: upgrade.maxUnavailable 0 is less than 1'],
  ],
  [
    'a share above the whole',
    'upgrade: {maxUnavailable: 120%}\n',
    ['operations.yaml:1:27: upgrade.maxUnavailable "120%" is neither a whole number nor a share such as 25%'],
  ],
  [
    'a selector of two requirements for the pods that stay',
    'drain: {skip: "app=x,tier=y"}\n',
    [
      'operations.yaml:1:15: drain.skip "app=x,tier=y" is not one requirement of a label selector, such as app=x, app or app in (x, y)',
    ],
  ],
  [
    'a budget without its namespace',
    'drain: {liftedBudgets: [pg-primary]}\n',
    ['operations.yaml:1:25: drain.liftedBudgets[0] "pg-primary" is not namespace/name, with * for anything'],
  ],
  [
    'a policy that does not exist',
    'drain: {whenBlocked: hope}\n',
    ['operations.yaml:1:22: drain.whenBlocked should be ("refuse" | "try"), not "hope"'],
  ],
  [
    'a gate that kubectl can not wait for',
    'gates: [{name: a, resource: pod/x, for: Ready}]\n',
    ['operations.yaml:1:41: gates[0].for "Ready" is not what kubectl wait --for takes, such as condition=Ready'],
  ],
  [
    'a gate without a name',
    'gates: [{resource: pod/x, for: condition=Ready}]\n',
    ['operations.yaml:1:9: gates[0].name is missing'],
  ],
  [
    'a mistyped key of a gate',
    'gates: [{name: a, resource: pod/x, for: condition=Ready, selectr: a}]\n',
    ['operations.yaml:1:58: gates[0].selectr is not a known key (did you mean selector?)'],
  ],
  [
    'half a node',
    'upgrade: {maxUnavailable: 1.5}\n',
    ['operations.yaml:1:27: upgrade.maxUnavailable 1.5 is not a whole number'],
  ],
  [
    'an address with a scheme for a factory',
    'upgrade: {factory: "https://factory.lan"}\n',
    ['operations.yaml:1:20: upgrade.factory "https://factory.lan" is not a host name such as factory.talos.dev'],
  ],
  ['a list in the place of a map', 'etcd: []\n', ['operations.yaml:1:7: etcd should be a map, not a list']],
  ['a list', '- etcd\n', ['operations.yaml:1:1: the file should be a map, not a list']],
]

for (const [behaviour, text, problems] of table)
  test(`tells where ${behaviour} stands`, () => assert.equal(problemsOf(text), problems))

test.run()
