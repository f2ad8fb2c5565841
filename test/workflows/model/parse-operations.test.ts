import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseOperations } from '../../../workflows/model/parse-operations.ts'
import { problemText } from '../../../workflows/model/problem.ts'

const parse = (text: string) => parseOperations({ path: 'operations.yaml', text })
const problemsOf = (text: string) => parse(text).problems.map(problemText)

const example = readFileSync(new URL('../../../clusters/cluster-101/operations.yaml', import.meta.url), 'utf8')

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

test('takes what is said and leaves the rest at its default', () => {
  const { value, problems } = parse(
    'upgrade:\n  parallelism: 3\netcd:\n  acceptOutage: true\ndeadlines:\n  pull: 1h30m\n',
  )
  assert.equal(problems, [])
  assert.equal(value?.upgrade, { parallelism: 3, pullParallelism: 4, factory: 'factory.talos.dev' })
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
    ['operations.yaml:1:1: windows is not a known key (known are upgrade, etcd, templates, generate, deadlines)'],
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
  ['no parallelism', 'upgrade: {parallelism: 0}\n', ['operations.yaml:1:24: upgrade.parallelism 0 is less than 1']],
  [
    'half a node',
    'upgrade: {parallelism: 1.5}\n',
    ['operations.yaml:1:24: upgrade.parallelism 1.5 is not a whole number'],
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
