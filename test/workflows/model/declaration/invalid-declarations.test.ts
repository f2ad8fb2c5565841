/** Declarations with one mistake each (a few with several), and exactly what is said of them: said.txt beside them. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseNodesAndCluster } from '../../../../workflows/model/declaration/parse-nodes-and-cluster.ts'
import { type Parsed, parseTalenv } from '../../../../workflows/model/declaration/parse-talenv.ts'
import type { SourceText } from '../../../../workflows/model/declaration/yaml-source.ts'
import { problemText } from '../../../../workflows/model/problem.ts'
import { golden } from '../../../support/golden.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const fixtures = join(root, 'test', 'fixtures', 'invalid')

/** What a case does not have is that of the valid declaration. */
function read(layout: string, name: string, file: string): SourceText {
  const own = join(fixtures, layout, name, file)
  const path = existsSync(own) ? own : join(fixtures, layout, 'valid', file)
  return { path: file, text: readFileSync(path, 'utf8') }
}

const LAYOUTS: Record<string, (name: string) => Parsed<unknown>> = {
  nodes: (name) =>
    parseNodesAndCluster({
      nodes: read('nodes', name, 'nodes.yaml'),
      clusterYaml: read('nodes', name, 'cluster.yaml'),
      pins: read('nodes', name, 'talenv.yaml'),
      name: 'home',
    }),
  talenv: (name) => {
    const folder = readdirSync(join(fixtures, 'talenv', name)).find((entry) => entry.startsWith('cluster-'))
    return parseTalenv({ talenv: read('talenv', name, `${folder}/talenv.yaml`) })
  },
}

for (const [layout, parse] of Object.entries(LAYOUTS)) {
  test(`takes the declaration in ${layout} that the others differ from`, () => {
    const parsed = parse('valid')
    assert.equal(parsed.ok ? parsed.warnings : parsed.problems, [])
  })

  for (const name of readdirSync(join(fixtures, layout)).filter((one) => one !== 'valid'))
    test(`tells what is wrong in ${layout}/${name}`, () => {
      const parsed = parse(name)
      const problems = parsed.ok ? parsed.warnings : parsed.problems
      assert.not(parsed.ok, 'it was taken')
      golden(join(fixtures, layout, name, 'said.txt'), problems.map((problem) => `${problemText(problem)}\n`).join(''))
    })
}

test('has all the cases that cluster-template refuses, and more', () => {
  assert.ok(readdirSync(join(fixtures, 'nodes')).length - 1 >= 18)
})

for (const name of ['many-at-once', 'nested-cidr-overlap', 'tab'])
  test(`says the same of talenv/${name} by the command, and exits 65`, () => {
    const file = `test/fixtures/invalid/talenv/${name}/cluster-7/talenv.yaml`
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'workflows/validate-talenv.ts', '--file', file, '--output', 'plain'],
      { cwd: root, encoding: 'utf8', timeout: 60_000 },
    )
    assert.is(stdout, '')
    golden(join(fixtures, 'talenv', name, 'command.txt'), stderr)
    assert.is(status, 65)
  })

test('says of a declaration without a mistake that it has none, for people and for scripts', () => {
  const file = 'clusters/cluster-101/talenv.yaml'
  for (const [output, says] of [
    ['plain', /^Nothing to mend: clusters\/cluster-101\/talenv\.yaml has no mistake\n$/],
    ['json', /^\{"v":1,.*"type":"run\.finished",.*"exitCode":0.*\}\n$/],
    ['quiet', /^$/],
  ] as const) {
    const argv = ['--import', 'tsx', 'workflows/validate-talenv.ts', '--file', file, '--output', output]
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' })
    assert.is(status, 0, stderr)
    assert.match(stdout, says)
  }
})

test('holds no name against what comes out of a pipe, or lies in no folder of a cluster', () => {
  const line = `"$0" --import tsx workflows/validate-talenv.ts --file <(cat clusters/cluster-101/talenv.yaml)`
  const { status, stderr } = spawnSync('bash', ['-c', line, process.execPath], { cwd: root, encoding: 'utf8' })
  assert.is(status, 0, stderr)
})

test.run()
