import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'

const root = join(import.meta.dirname, '..')
const tool = await resolveTool('task')
if (!tool.found) throw new Error(tool.detail)

function task(argv: string[], env: NodeJS.ProcessEnv = {}) {
  // Without the flag, Task colours its lines wherever the environment says CI=true.
  return spawnSync(tool.found ? tool.path : '', ['--color=false', ...argv], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 120_000,
  })
}

/** What the task would run, without running it. */
const dryRun = (...argv: string[]): string =>
  task(['-n', ...argv])
    .stderr.replace(/^task: \[[^\]]*\] /, '')
    .trim()

const test = suite('Taskfile.yml')

test('lists a sentence for every task', () => {
  const { status, stdout } = task(['--list'])
  assert.is(status, 0)
  const { tasks } = parse(readFileSync(join(root, 'Taskfile.yml'), 'utf8')) as { tasks: Record<string, unknown> }
  assert.ok(Object.keys(tasks).length > 0)
  for (const name of Object.keys(tasks)) assert.match(stdout, new RegExp(`^\\* ${name}: +[A-Z].*: task ${name} `, 'm'))
})

const rows: [argv: string[], command: string][] = [
  [['talos:init', '--', '101'], 'workflows/init.ts --cluster 101'],
  [['talos:gen-config', '--', '101'], 'workflows/gen-config.ts --cluster 101'],
  [['talos:generate-config', '--', '101', '--dry-run'], 'workflows/gen-config.ts --cluster 101 --dry-run'],
  [
    ['talos:import-terraform', '--', '101', '--terraform-dir', 'infra'],
    'workflows/import-terraform.ts --cluster 101 --terraform-dir infra',
  ],
  [['talos:register-schematics', '--', '101'], 'workflows/register-schematics.ts --cluster 101'],
  [['talos:upgrade', '--', '101'], 'workflows/upgrade.ts --cluster 101'],
  [['talos:upgrade', '--', 'cluster-101', '--dry-run'], 'workflows/upgrade.ts --cluster cluster-101 --dry-run'],
  [['talos:upgrade-node', 'CLUSTER=101', 'IP=127.0.101.11'], 'workflows/upgrade.ts --cluster 101 --nodes 127.0.101.11'],
  [
    ['talos:upgrade-node', 'CLUSTER=101', 'IP=127.0.101.11', '--', '--yes'],
    'workflows/upgrade.ts --cluster 101 --nodes 127.0.101.11 --yes',
  ],
  [['talos:status', '--', '101', '--output', 'json'], 'workflows/status.ts --cluster 101 --output json'],
  [['lab:up', '--', '101', '--speed', '20'], 'workflows/lab.ts up --cluster 101 --speed 20'],
  [['lab:down', '--', '101'], 'workflows/lab.ts down --cluster 101'],
  [['lab:status', '--', '101'], 'workflows/lab.ts status --cluster 101'],
  [['lab:check', '--', '101'], 'workflows/lab.ts check --cluster 101'],
  [
    ['lab:fault', '--', '101', 'install-fails', '--node', 'k8s-2'],
    'workflows/lab.ts fault --cluster 101 install-fails --node k8s-2',
  ],
]

for (const [argv, command] of rows) {
  test(`task ${argv.join(' ')} runs ${command}`, () => {
    assert.is(dryRun(...argv), `node --import tsx ${command}`)
    assert.ok(existsSync(join(root, command.split(' ', 1)[0] ?? '')), `${command} is not there`)
  })
}

test('asks for the node when one is to be upgraded and none is named', () => {
  const { status, stderr } = task(['-n', 'talos:upgrade-node', 'CLUSTER=101'])
  assert.is.not(status, 0)
  assert.match(stderr, 'missing required variables: IP')
})

test('points TALOSCONFIG at the cluster that the command names', () => {
  const { tasks: _, ...head } = parse(readFileSync(join(root, 'Taskfile.yml'), 'utf8')) as Record<string, unknown>
  assert.match(JSON.stringify(head), 'TALOSCONFIG')
  for (const [argv, cluster] of [
    [['--', '101'], '101'],
    [['--', 'cluster-102', '--yes'], '102'],
    [['CLUSTER=103'], '103'],
    [[], '101'],
  ] as const) {
    const probe = { ...head, tasks: { probe: { cmd: 'printenv TALOSCONFIG', silent: true } } }
    const { stdout, stderr } = spawnSync(tool.found ? tool.path : '', ['--taskfile', '-', 'probe', ...argv], {
      cwd: root,
      encoding: 'utf8',
      input: JSON.stringify(probe),
    })
    assert.match(stdout.trim(), new RegExp(`/clusters/cluster-${cluster}/talosconfig$`), stderr)
  }
})

test('passes the exit code of a command on with -x, and hides it without', () => {
  assert.is(task(['-x', 'lab:fault', '--', '101', 'no-such-fault', '--node', 'k8s-1', '--no-such-flag']).status, 64)
  assert.is(task(['lab:fault', '--', '101', '--no-such-flag']).status, 201)
})

test('passes on that there is no such cluster', () => {
  assert.is(task(['-x', 'talos:status', '--', '999']).status, 65)
})

test.run()
