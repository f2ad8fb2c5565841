// limit: 600 s
/** What git would take up after any first command in a fresh repository: nothing secret, and nothing of `.run`. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { secretsWorld } from './support/secrets-world.ts'
import { verbs } from './support/verbs.ts'

const root = join(import.meta.dirname, '..')
const CLUSTER = 'clusters/cluster-7'

/** Nobody listens there. */
const TALENV = `cluster:
  name: cluster-7
  id: 7
  endpoint: https://127.7.7.10:6443
  talosVersion: v1.13.9
  kubernetesVersion: v1.36.1
nodes:
  - {hostname: cp-1, ipAddress: 127.7.7.11, controlPlane: true, disk: /dev/sda}
`

const kubectl = await resolveTool('kubectl')
if (!kubectl.found) throw new Error(kubectl.detail)

/** A talosctl that gets a kubeconfig from a cluster that is not there, and is the real one otherwise. */
const givesKubeconfig = (real: string): string => `#!/bin/sh
for word in "$@"; do
  [ "$before" = kubeconfig ] && { echo 'client-key-data: secret' > "$word"; exit 0; }
  before=$word
done
exec ${real} "$@"
`

const SECRET = /PRIVATE KEY|LS0tLS1CRUdJTi\S+LRVkt|AGE-SECRET-KEY|client-key-data|^\s*token: [a-z0-9]{6}\.[a-z0-9]{16}/m

/** The command, and whether it is the first one in a folder that has secrets already. */
const COMMANDS: readonly [words: string[], afterInit?: true][] = [
  [['validate-talenv', '--file', `${CLUSTER}/talenv.yaml`]],
  [['init']],
  [['init', '--dry-run']],
  [['gen-config']],
  [['gen-config'], true],
  [['gen-config', '--dry-run'], true],
  [['register-schematics', '--dry-run'], true],
  [['status']],
  ...verbs.flatMap((verb): [words: string[]][] => [[[verb, '--dry-run']], [[verb, '--yes', '--output', 'plain']]]),
]

/** Those that ask the cluster. */
const ASK: readonly string[] = ['status', ...verbs]

for (const [[name = '', ...flags], afterInit] of COMMANDS)
  test(`git would take up nothing secret after ${[name, ...flags].join(' ')}${afterInit ? ' with secrets' : ''}`, async () => {
    const world = await secretsWorld()
    try {
      world.write(`${CLUSTER}/talenv.yaml`, TALENV)
      world.write(`${CLUSTER}/operations.yaml`, 'deadlines: {observe: 3s}\n')
      if (afterInit) assert.is(world.init().code, 0)
      if (ASK.includes(name)) {
        // a person's own, where the person keeps it out of git
        world.write(`${CLUSTER}/.gitignore`, '/talosconfig\n')
        const made = ['gen', 'config', 'c', 'https://127.7.7.10:6443', '-t', 'talosconfig']
        const to = join(world.dir, CLUSTER, 'talosconfig')
        world.sh('talosctl-1.13', [...made, '-o', to])
        world.sh('talosctl-1.13', ['--talosconfig', to, 'config', 'endpoint', '127.7.7.11'])
      }
      const where = name === 'validate-talenv' ? [] : ['--cluster', '7', '--dir', world.dir]
      const argv = [
        `workflows/${name}.ts`,
        ...where,
        ...flags.map((word) => word.replace(CLUSTER, join(world.dir, CLUSTER))),
      ]
      const talosctl = world.write('../talosctl', givesKubeconfig(world.env.TALOSCTL_1_13 ?? ''), 0o755)
      const env = { ...process.env, ...world.env, TALOSCTL_1_13: talosctl, KUBECTL: kubectl.path, NODE_OPTIONS: '' }
      // by tsx itself, as a person starts it: npm test has a shorter way
      const ended = spawnSync(process.execPath, ['--import', 'tsx', ...argv], { cwd: root, env, encoding: 'utf8' })
      assert.not.match(ended.stderr, /\n\s+at /, 'no stack trace')

      const taken = execFileSync('git', ['add', '-n', '.'], { cwd: world.dir, encoding: 'utf8' })
      const paths = [...taken.matchAll(/^add '(.*)'$/gm)].map(([, path = '']) => path)
      for (const path of paths) {
        assert.not.match(path, /\.run|talosconfig|kubeconfig|age\.key|rendered/, path)
        assert.not.match(readFileSync(join(world.dir, path), 'utf8'), SECRET, path)
      }
      const runs = join(world.dir, CLUSTER, '.run')
      const keeps = ASK.includes(name)
      if (keeps) assert.ok(existsSync(join(runs, 'kubeconfig')), `${ended.stdout}${ended.stderr}`)
      if (existsSync(runs)) assert.is(readFileSync(join(runs, '.gitignore'), 'utf8'), '*\n')
    } finally {
      world.remove()
    }
  })

test.run()
