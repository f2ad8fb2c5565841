/** gen-config as a person starts it, killed while it puts files in place, and the command that is typed after it. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inFull } from '../../support/in-full.ts'

const root = join(import.meta.dirname, '../../..')
const folder = mkdtempSync(join(tmpdir(), 'gen-config-crash-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const TALENV = (last: string, kubernetes: string) => `
cluster: {name: cluster-9, id: 9, endpoint: 'https://10.0.0.10:6443', talosVersion: v1.13.9, kubernetesVersion: ${kubernetes}}
nodes:
  - {hostname: a, ipAddress: 10.0.0.1, controlPlane: true, disk: /dev/sda}
  - {hostname: b, ipAddress: 10.0.0.2, controlPlane: true, disk: /dev/sda}
  - {hostname: ${last}, ipAddress: 10.0.0.3, controlPlane: true, disk: /dev/sda}
`

const clusterOf = (dir: string) => join(dir, 'clusters', 'cluster-9')

function type(dir: string, command: string, { flags = [] as string[], env = {}, preload = '' } = {}) {
  const loaded = preload ? ['--import', join(root, 'test', 'support', preload)] : []
  const argv = ['--import', 'tsx', ...loaded, `workflows/${command}.ts`, '--cluster', '9', '--dir', dir, ...flags]
  return spawnSync(process.execPath, argv, {
    cwd: root,
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, 'config'), ...env },
    encoding: 'utf8',
  })
}

function succeeds(dir: string, command: string): void {
  const { status, stderr } = type(dir, command)
  assert.is(status, 0, stderr)
}

/** Everything that was generated, by name. */
function generatedIn(dir: string): Record<string, string> {
  const names = readdirSync(clusterOf(dir), { recursive: true, encoding: 'utf8' }).filter(
    (name) => !/^(\.|talenv|talsecret)/.test(name) && statSync(join(clusterOf(dir), name)).isFile(),
  )
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(clusterOf(dir), name), 'utf8')]))
}

test('shows the old generation or the new one, whole, to the command after a killed gen-config', () => {
  const old = join(folder, 'old')
  mkdirSync(clusterOf(old), { recursive: true })
  cpSync(join(root, 'templates'), join(old, 'templates'), { recursive: true })
  writeFileSync(join(clusterOf(old), 'talenv.yaml'), TALENV('c', 'v1.36.1'))
  spawnSync('git', ['init', '-q', old])
  succeeds(old, 'init')
  succeeds(old, 'gen-config')
  writeFileSync(join(clusterOf(old), 'talenv.yaml'), TALENV('d', 'v1.36.0'))
  const copyOfOld = (name: string) => {
    cpSync(old, join(folder, name), { recursive: true })
    return join(folder, name)
  }

  const whole = copyOfOld('new')
  const counted = join(folder, 'operations')
  const preload = 'die-after-disk-operation.ts'
  const { status, stderr } = type(whole, 'gen-config', {
    preload,
    env: { DIE_AFTER_DISK_OPERATION: '9999', DISK_OPERATIONS: counted },
  })
  assert.is(status, 0, stderr)
  const operations = Number(readFileSync(counted, 'utf8'))
  assert.ok(operations > 20)
  const [before, after] = [generatedIn(old), generatedIn(whole)]
  assert.ok('cluster-9-c.yaml' in before && 'cluster-9-d.yaml' in after && !('cluster-9-c.yaml' in after))

  // every single one is killed after in test/scripts/config/placing; here is the way from there to a person's next command
  const found = new Set<string>()
  const kills = inFull ? 5 : 3
  for (let index = 0; index < kills; index++) {
    const operation = 1 + Math.round((index * (operations - 1)) / (kills - 1))
    const dir = copyOfOld(`killed-${operation}`)
    const when = `killed after ${operation} of ${operations}`
    const env = { DIE_AFTER_DISK_OPERATION: String(operation) }
    assert.is(type(dir, 'gen-config', { preload, env }).signal, 'SIGKILL', when)

    const next = type(dir, 'gen-config', { flags: ['--dry-run'] })
    const set = 'cluster-9-d.yaml' in generatedIn(dir) ? 'new' : 'old'
    found.add(set)
    assert.is(next.status, set === 'new' ? 0 : 2, `${when}\n${next.stderr}`)
    assert.equal(generatedIn(dir), set === 'new' ? after : before, when)

    succeeds(dir, 'gen-config')
    assert.equal(generatedIn(dir), after, when)
    const left = readdirSync(join(clusterOf(dir), '.run')).filter((name) => /staging|draft|placing/.test(name))
    assert.equal(left, [], when)
  }
  assert.is(found.size, 2)
})

test.run()
