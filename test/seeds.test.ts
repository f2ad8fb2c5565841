// limit: 600 s
/**
 * A repository of the kind that each source describes, from nothing but its declaration to what would be applied: the real
 * init and gen-config with the real tools. test/fixtures/generated holds everything that is generated, each secret by name.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, parseDocument } from 'yaml'
import { golden } from './support/golden.ts'
import { runWithJinja2 } from './support/jinja2.ts'
import { type SecretsWorld, secretsWorld } from './support/secrets-world.ts'

const root = join(import.meta.dirname, '..')
const fixtures = join(root, 'test', 'fixtures')

/** What --dir and --cluster name, and where the secrets are. */
type Seed = { seed: string; dir?: string; cluster: string; folder: string; generated?: string }

const SEEDS: Seed[] = [
  { seed: '000', cluster: '100', folder: 'clusters/cluster-100' },
  { seed: '001', cluster: 'home', folder: '.' },
  { seed: '002', cluster: 'talos', folder: 'talos' },
  // the same with Jinja's own marks, by the other engine
  { seed: '002-plain', cluster: 'talos', folder: 'talos', generated: '002' },
  { seed: '003', cluster: 'oxide', folder: 'talos' },
  { seed: '004', dir: 'talos', cluster: '101', folder: 'talos/clusters/cluster-101' },
]

const jinja2 = await runWithJinja2()
const python = await jinja2({
  tool: 'python3',
  argv: ['-c', 'import sys; print(sys.executable)'],
  timeoutMs: 60_000,
  mutates: false,
})

function run(world: SecretsWorld, entry: string, { dir = '.', cluster }: Seed) {
  const argv = ['--import', 'tsx', `workflows/${entry}.ts`, '--cluster', cluster, '--dir', join(world.dir, dir)]
  const PATH = [dirname(python.stdout.trim()), world.env.PATH].join(delimiter)
  const env = { ...world.env, PATH }
  const { status, stderr } = spawnSync(process.execPath, argv, { cwd: root, env, encoding: 'utf8' })
  assert.is(status, 0, stderr)
  return world.named(stderr)
}

/** Leaves of the secrets, by path. */
const leaves = (value: unknown, path: string): [secret: string, name: string][] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, item]) => leaves(item, path ? `${path}.${key}` : key))
    : [[String(value), `<${path}>`]]

const files = (world: SecretsWorld): string[] =>
  readdirSync(world.dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/(^|\/)\./.test(name) && statSync(join(world.dir, name)).isFile())
    .sort()

/** The client certificate is new each time. */
function withoutClient(talosconfig: string): string {
  const document = parseDocument(talosconfig)
  const context = parse(talosconfig).context
  for (const key of ['crt', 'key']) document.setIn(['contexts', context, key], `<client ${key}>`)
  return document.toString({ lineWidth: 0 })
}

for (const seed of SEEDS)
  test(`generates what ${seed.seed} describes, and Talos takes it`, async () => {
    const world = await secretsWorld()
    try {
      cpSync(join(fixtures, 'seeds', seed.seed), world.dir, { recursive: true })
      const before = new Set(files(world))
      run(world, 'init', seed)
      const warnings = run(world, 'gen-config', seed)
        .split('\n')
        .filter((line) => /: warning: /.test(line))
      const secret = join(world.dir, seed.folder, 'talsecret.sops.yaml')
      const secrets = leaves(parse(world.sh('sops', ['decrypt', secret])), '')
      // the longest first: the id of a cluster may be a part of something else
      secrets.sort(([a], [b]) => b.length - a.length)
      const made = files(world).filter((name) => !before.has(name) && !name.endsWith('talsecret.sops.yaml'))
      const texts = made.map((name) => {
        const text = readFileSync(join(world.dir, name), 'utf8')
        const plain = name.endsWith('talosconfig') ? withoutClient(text) : text
        const hidden = secrets.reduce((rest, [value, path]) => rest.replaceAll(value, path), plain)
        return `=== ${name}\n${hidden}`
      })
      for (const name of made.filter((one) => /^machine:/m.test(readFileSync(join(world.dir, one), 'utf8'))))
        if (!name.includes('patches')) world.sh('talosctl-1.13', ['validate', '--mode', 'metal', '--config', name])
      golden(
        join(fixtures, 'generated', `${seed.generated ?? seed.seed}.txt`),
        [...texts, `=== warnings\n${warnings.map((line) => `${line}\n`).join('')}`].join(''),
      )
    } finally {
      world.remove()
    }
  })

test.run()
