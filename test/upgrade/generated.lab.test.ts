// limit: 600 s
/** From nothing to an upgraded lab, on secrets and configurations of the cluster's own; and none of them gets out. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { toolTable } from '../../scripts/toolchain/tool-table.ts'
import { type SecretsWorld, secretsWorld } from '../support/secrets-world.ts'

const root = join(import.meta.dirname, '../..')
const vanilla = '376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'
const withIscsi = 'c9078f9419961640c712a8bf2bb9174933dfcf1da383fd8ea2b7dc21493f8bac'

const test = suite<{ world: SecretsWorld; subnet: string; say: string[] }>('generated')

test.before.each(async (context) => {
  context.world = await secretsWorld()
  for (const name of [
    'etcd-3.6',
    'etcd-3.7',
    'kubectl',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
  ] as const) {
    const tool = await resolveTool(name)
    if (!tool.found) throw new Error(tool.detail)
    context.world.env[toolTable[name].override] = tool.path
  }
  context.subnet = `127.${10 + Math.floor(Math.random() * 200)}.${1 + Math.floor(Math.random() * 254)}`
  context.say = []
})
test.after.each(({ world, say, subnet }) => {
  run({ world, say, subnet }, 'lab', 'down')
  world.remove()
})

type Context = { world: SecretsWorld; say: string[]; subnet: string }

/** A workflow as a person types it; everything that it says is kept. */
function run({ world, say }: Context, entry: string, ...argv: string[]) {
  const words = ['--import', 'tsx', `workflows/${entry}.ts`, ...argv, '--cluster', '7', '--dir', world.dir]
  const done = spawnSync(process.execPath, words, { cwd: root, env: world.env, encoding: 'utf8', timeout: 300_000 })
  say.push(done.stdout, done.stderr)
  return done
}

function declare({ world, subnet }: Context, extensions: string[]): void {
  const nodes = [1, 2, 3].map((n) => ({
    hostname: `k8s-${n}`,
    ipAddress: `${subnet}.${10 + n}`,
    controlPlane: true,
    disk: '/dev/sda',
    extensions,
  }))
  const endpoint = `https://${subnet}.10:6443`
  const versions = { talosVersion: 'v1.13.9', kubernetesVersion: 'v1.36.1' }
  world.write(
    'clusters/cluster-7/talenv.yaml',
    stringify({ cluster: { name: 'cluster-7', id: 7, endpoint, ...versions }, nodes }),
  )
  world.write('clusters/cluster-7/operations.yaml', stringify({ upgrade: { soak: '500ms' } }))
  const timings = { pullSeconds: 4, installSeconds: 20, stopSeconds: 10, rebootSeconds: 60, readySeconds: 10 }
  const schematics = { [withIscsi]: ['siderolabs/iscsi-tools'] }
  const machine = { version: 'v1.13.9', schematic: vanilla }
  world.write('clusters/cluster-7/lab.yaml', stringify({ speed: 60, timings, schematics, machine }))
}

test('a new extension in talenv.yaml is in the nodes after gen-config and upgrade, and no secret is anywhere else', (context) => {
  const { world, say } = context
  declare(context, [])
  assert.is(world.init().code, 0)
  const ok = (entry: string, ...argv: string[]) => {
    const { status, stdout, stderr } = run(context, entry, ...argv)
    assert.is(status, 0, `${entry}: ${stdout}${stderr}`)
    return stdout
  }
  ok('gen-config')
  ok('lab', 'up')
  assert.match(ok('upgrade', '--output', 'plain'), /unchanged|nothing/i)
  declare(context, ['siderolabs/iscsi-tools'])
  ok('gen-config')
  ok('upgrade', '--output', 'json', '--yes')
  const nodes = Object.values(JSON.parse(ok('status', '--output', 'json')).nodes) as { schematic: string }[]
  assert.equal(
    nodes.map(({ schematic }) => schematic),
    [withIscsi, withIscsi, withIscsi],
  )
  ok('lab', 'check')
  ok('lab', 'down')
  // the cluster's own talosconfig stays when the lab goes
  assert.match(readFileSync(join(world.dir, 'clusters/cluster-7/talosconfig'), 'utf8'), 'context: cluster-7')

  const leaves: string[] =
    readFileSync(join(world.home, '.config/sops/age/keys.txt'), 'utf8').match(/AGE-SECRET-KEY-\S+/g) ?? []
  JSON.stringify(
    parse(world.sh('sops', ['decrypt', join(world.dir, 'clusters/cluster-7/talsecret.sops.yaml')])),
    (_key, value) => {
      if (typeof value === 'string' && value.length >= 8) leaves.push(value)
      return value
    },
  )
  const key = parse(readFileSync(join(world.dir, 'clusters/cluster-7/talosconfig'), 'utf8')).contexts['cluster-7'].key
  leaves.push(key)
  const own = /cluster-7-k8s-\d\.yaml$|talosconfig$|\.run\/kubeconfig$|keys\.txt$/
  const files = world.files().filter(({ path }) => !own.test(path))
  assert.ok(
    files.some(({ path }) => path.endsWith('report.json')) && files.some(({ path }) => path.endsWith('journal.ndjson')),
  )
  const said = [world.recorded(), ...say].join('\n')
  for (const leaf of leaves) {
    assert.not.ok(said.includes(leaf), 'a secret is in argv or output')
    for (const { path, text } of files) assert.not.ok(text.includes(leaf), `a secret is in ${path}`)
  }
})

test.run()
