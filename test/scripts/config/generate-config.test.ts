// limit: 600 s
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, parseAllDocuments } from 'yaml'
import { type SecretsWorld, secretsWorld } from '../../support/secrets-world.ts'

const root = join(import.meta.dirname, '../../..')
const CLUSTER = 'clusters/cluster-7'

const talenv = `cluster:
  name: cluster-7
  id: 7
  endpoint: https://10.0.0.10:6443
  vip: 10.0.0.10
  talosVersion: v1.13.9
  kubernetesVersion: v1.36.1
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
    disk: /dev/sda
    extensions: [siderolabs/iscsi-tools]
  - hostname: worker-1
    ipAddress: 10.0.0.21
    disk: /dev/sda
`

type Context = { initial: SecretsWorld; world: SecretsWorld }

const test = suite<Context>('gen-config')

test.before(async (context) => {
  context.initial = await secretsWorld()
  context.initial.write(`${CLUSTER}/talenv.yaml`, talenv)
  const { code, stderr } = context.initial.init()
  assert.is(code, 0, stderr)
})
test.after(({ initial }) => initial.remove())
test.before.each(async (context) => {
  context.world = await secretsWorld({ like: context.initial })
})
test.after.each(({ world }) => world.remove())

/** What a run said and did. */
function gen(world: SecretsWorld, ...flags: string[]) {
  const argv = ['--import', 'tsx', 'workflows/gen-config.ts', '--cluster', '7', '--dir', world.dir, ...flags]
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: root, env: world.env, encoding: 'utf8' })
  return { code: status, stdout: world.named(stdout), stderr: world.named(stderr) }
}

const at = (world: SecretsWorld, name: string) => join(world.dir, CLUSTER, name)
const read = (world: SecretsWorld, name: string) => readFileSync(at(world, name), 'utf8')

/** Everything that was generated, by name. */
const generated = (world: SecretsWorld): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(world.dir, CLUSTER), { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.startsWith('.') && statSync(at(world, name)).isFile())
      .filter((name) => !['talenv.yaml', 'talsecret.sops.yaml'].includes(name))
      .sort()
      .map((name) => [name, read(world, name)]),
  )

const NAMES = ['cluster-7-cp-1.yaml', 'cluster-7-worker-1.yaml', 'talconfig.rendered.yaml', 'talosconfig']

test('makes a configuration for each node and a talosconfig, for their owner alone', ({ world }) => {
  const { code, stdout, stderr } = gen(world)
  assert.is(code, 0, stderr)
  for (const name of NAMES) assert.match(stdout, `created <dir>/${CLUSTER}/${name}\n`)
  assert.equal(Object.keys(generated(world)), NAMES)
  for (const name of NAMES) assert.is(statSync(at(world, name)).mode & 0o777, 0o600)
  const config = parse(read(world, 'cluster-7-cp-1.yaml').split('\n---\n')[0] ?? '')
  assert.is(config.machine.type, 'controlplane')
  assert.is(config.machine.install.disk, '/dev/sda')
  const talosconfig = parse(read(world, 'talosconfig'))
  assert.equal(talosconfig.contexts['cluster-7'].endpoints, ['10.0.0.11'])
  assert.is(talosconfig.contexts['cluster-7'].nodes, undefined)
})

test('changes no byte where nothing changed, and says which schematics nobody registered', ({ world }) => {
  gen(world)
  const before = generated(world)
  const { code, stdout } = gen(world)
  assert.is(code, 0)
  assert.equal(generated(world), before)
  assert.match(stdout, /^cluster-7: 4 files, all of them as they should be\n/)
  assert.match(stdout, /^Schematic [0-9a-f]{64} was never registered from here$/m)
  assert.match(stdout, 'Register: node --import tsx workflows/register-schematics.ts --cluster 7 --dir <dir>\n')
})

test('writes nothing in a dry run, and exits 2 where something would change', ({ world }) => {
  const first = gen(world, '--dry-run')
  assert.is(first.code, 2, first.stderr)
  assert.match(first.stdout, `create <dir>/${CLUSTER}/talosconfig\n`)
  assert.equal(generated(world), {})
  assert.not.ok(existsSync(at(world, '.run')))
  gen(world)
  const before = generated(world)
  assert.is(gen(world, '--dry-run').code, 0)
  world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('v1.36.1', 'v1.35.2'))
  assert.is(gen(world, '--dry-run').code, 2)
  assert.equal(generated(world), before)
})

test('shows what changes by document, without what is secret', ({ world }) => {
  gen(world)
  world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('v1.36.1', 'v1.35.2'))
  const { code, stdout } = gen(world)
  assert.is(code, 0)
  assert.match(stdout, `replaced <dir>/${CLUSTER}/cluster-7-cp-1.yaml\n  v1alpha1 machine configuration changed\n`)
  assert.match(stdout, '-    image: ghcr.io/siderolabs/kubelet:v1.36.1\n')
  assert.match(stdout, '+    image: ghcr.io/siderolabs/kubelet:v1.35.2\n')
  assert.match(stdout, 'key: (redacted)\n')
})

test('refuses to overwrite what was edited by hand, also in a dry run, unless told to', ({ world }) => {
  gen(world)
  const edited = `${read(world, 'cluster-7-worker-1.yaml')}# mine\n`
  world.write(`${CLUSTER}/cluster-7-worker-1.yaml`, edited, 0o600)
  for (const flags of [[], ['--dry-run']]) {
    const { code, stderr } = gen(world, ...flags)
    assert.is(code, 77)
    assert.is(
      stderr,
      `<dir>/${CLUSTER}/cluster-7-worker-1.yaml was edited by hand and would be replaced (declare what was edited, or give --discard-edits)\n`,
    )
  }
  assert.is(read(world, 'cluster-7-worker-1.yaml'), edited)
  assert.is(gen(world, '--discard-edits').code, 0)
  assert.not.match(read(world, 'cluster-7-worker-1.yaml'), '# mine')
})

test('removes the file of a node that is gone, and says so', ({ world }) => {
  gen(world)
  world.write(`${CLUSTER}/talenv.yaml`, talenv.slice(0, talenv.indexOf('  - hostname: worker-1')))
  const { code, stdout, stderr } = gen(world)
  assert.is(code, 0)
  assert.match(stderr, `Removing <dir>/${CLUSTER}/cluster-7-worker-1.yaml: nothing that is declared needs it\n`)
  assert.match(stdout, `removed <dir>/${CLUSTER}/cluster-7-worker-1.yaml\n`)
  assert.not.ok(existsSync(at(world, 'cluster-7-worker-1.yaml')))
})

test('makes a new client certificate when asked, of the same authority', ({ world }) => {
  gen(world)
  const before = parse(read(world, 'talosconfig')).contexts['cluster-7']
  const { code, stdout } = gen(world, '--renew-talosconfig')
  assert.is(code, 0)
  assert.match(stdout, 'The talosconfig is a new one: a new client certificate was asked for\n')
  const after = parse(read(world, 'talosconfig')).contexts['cluster-7']
  assert.is(after.ca, before.ca)
  assert.is.not(after.crt, before.crt)
})

test('refuses the secrets of another cluster', ({ world }) => {
  gen(world)
  const before = generated(world)
  rmSync(at(world, 'talsecret.sops.yaml'))
  world.init()
  const { code, stderr } = gen(world)
  assert.is(code, 77)
  assert.match(stderr, 'holds another CA than the configurations that were generated last')
  assert.equal(generated(world), before)
})

test('makes no secrets of its own where there are none', ({ world }) => {
  rmSync(at(world, 'talsecret.sops.yaml'))
  const { code, stderr } = gen(world)
  assert.is(code, 69)
  assert.match(
    stderr,
    `there is no <dir>/${CLUSTER}/talsecret.sops.yaml (node --import tsx workflows/init.ts --cluster 7`,
  )
  assert.equal(generated(world), {})
})

/** The templates of this package with one change. */
function withTemplate(world: SecretsWorld, name: string, change: (text: string) => string): void {
  for (const file of ['talconfig.j2', 'schematic.yaml.j2'])
    world.write(`templates/${file}`, readFileSync(join(root, 'templates', file), 'utf8'))
  world.write(`templates/${name}`, change(readFileSync(join(world.dir, 'templates', name), 'utf8')))
}

const lineOf = (world: SecretsWorld, file: string, text: string): number =>
  readFileSync(join(world.dir, file), 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1

test('tells where in a template a name is not defined', ({ world }) => {
  withTemplate(world, 'talconfig.j2', (text) => text.replace('{{ node.disk }}', '{{ node.dsk }}'))
  const { code, stderr } = gen(world)
  assert.is(code, 65)
  const line = lineOf(world, 'templates/talconfig.j2', 'node.dsk')
  assert.match(stderr, new RegExp(`^<dir>/templates/talconfig\\.j2:${line}:\\d+: .*dsk`))
  assert.equal(generated(world), {})
})

test('tells what talhelper would pass over, at the rendered line and at the template’s', ({ world }) => {
  withTemplate(world, 'talconfig.j2', (text) => text.replace('installDisk: {{', 'instalDisk: {{'))
  const { code, stderr } = gen(world)
  assert.is(code, 65)
  const line = lineOf(world, 'templates/talconfig.j2', 'instalDisk')
  assert.match(stderr, /talconfig\.rendered\.yaml:\d+:5: nodes\[0\]\.instalDisk is not a key/)
  assert.match(stderr, `from <dir>/templates/talconfig.j2:${line})`)
})

test('tells what talhelper complains about at both lines', ({ world }) => {
  world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('siderolabs/iscsi-tools', 'siderolabs/no-such-thing'))
  const { code, stderr } = gen(world)
  assert.is(code, 65, stderr)
  assert.match(stderr, /talconfig\.rendered\.yaml:\d+:\d+: nodes\[0\]\.schematic: .*no-such-thing/)
  assert.match(stderr, /from templates\/talconfig\.j2:\d+\)/)
})

test('applies the patches of all, of the role and of the node in this order', ({ world }) => {
  withTemplate(world, 'talconfig.j2', (text) => text)
  const sysctl = (value: string) => `machine:\n  sysctls:\n    vm.swappiness: "${value}"\n`
  world.write('templates/patches/global/10-a.yaml.j2', `${sysctl('1')}    net.core.somaxconn: "{{ nodes | length }}"\n`)
  world.write('templates/patches/worker/10-a.yaml', sysctl('2'))
  world.write('templates/patches/cp-1/10-a.yaml.j2', sysctl('3'))
  world.write('templates/patches/cp-2/10-a.yaml.j2', sysctl('4'))
  world.write('templates/patches/global/20-none.yaml.j2', '{% if false %}\nmachine: {}\n{% endif %}\n')
  const { code, stderr } = gen(world)
  assert.is(code, 0, stderr)
  assert.match(
    stderr,
    'cp-2/10-a.yaml.j2:1:1: warning: no node is called cp-2, so this patch is for none (did you mean cp-1?)',
  )
  const sysctls = (node: string) =>
    parse(read(world, `cluster-7-${node}.yaml`).split('\n---\n')[0] ?? '').machine.sysctls
  assert.equal(sysctls('cp-1'), { 'vm.swappiness': '3', 'net.core.somaxconn': '2' })
  assert.equal(sysctls('worker-1'), { 'vm.swappiness': '2', 'net.core.somaxconn': '2' })
  assert.not.ok(existsSync(at(world, 'patches.rendered/global/20-none.yaml')))
})

test('prints events for programs, and nothing where all is well and quiet is wanted', ({ world }) => {
  const { code, stdout } = gen(world, '--output', 'json')
  assert.is(code, 0)
  const [generatedEvent, finished] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.is(generatedEvent.type, 'generated')
  assert.equal(
    generatedEvent.changes.map(({ name, change }: { name: string; change: string }) => `${change} ${name}`),
    NAMES.map((name) => `create ${name}`),
  )
  assert.is(finished.type, 'run.finished')
  assert.is(finished.exitCode, 0)
  assert.equal(gen(world, '--output', 'quiet'), { code: 0, stdout: '', stderr: '' })
})

/** The documents of a generated configuration, without the name of the installer. */
function withoutImage(text: string): { documents: unknown[]; image: string } {
  const documents = parseAllDocuments(text).map((document) => document.toJS())
  const { install } = documents[0].machine
  const { image } = install
  delete install.image
  return { documents, image }
}

/** Held against both talosctl; throws where one of them does not take it. */
function validated(world: SecretsWorld, name: string): void {
  for (const talosctl of ['talosctl-1.13', 'talosctl-1.14'] as const)
    world.sh(talosctl, ['validate', '--mode', 'metal', '--config', at(world, name)])
}

const contractOf = (world: SecretsWorld): string => JSON.parse(read(world, '.run/placed.json')).contract

test('changes nothing but the installer when the release moves to 1.14, and both talosctl take it', ({ world }) => {
  gen(world)
  const before = generated(world)
  world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('v1.13.9', 'v1.14.1'))
  const { code, stdout, stderr } = gen(world)
  assert.is(code, 0, stderr)
  assert.match(stdout, 'Configurations are in the form of v1.13, installers of v1.14.1\n')
  assert.is(contractOf(world), 'v1.13')
  const after = generated(world)
  assert.is(after.talosconfig, before.talosconfig)
  for (const name of NAMES.slice(0, 2)) {
    const [was, is] = [before, after].map((files) => withoutImage(files[name] ?? ''))
    assert.equal(is?.documents, was?.documents)
    assert.match(was?.image ?? '', /^factory\.talos\.dev\/metal-installer\/[0-9a-f]{64}:v1\.13\.9$/)
    assert.is(is?.image, was?.image.replace('v1.13.9', 'v1.14.1'))
    validated(world, name)
  }
})

test('keeps the form of 1.12 on 1.14, also when Kubernetes leaves its range', ({ world }) => {
  const declare = (talos: string, kubernetes: string) =>
    world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('v1.13.9', talos).replace('v1.36.1', kubernetes))
  declare('v1.12.9', 'v1.35.2')
  gen(world)
  const before = withoutImage(read(world, NAMES[0] ?? ''))
  // as an earlier version of the product left it: the name of the installer is all that tells
  const placed = JSON.parse(read(world, '.run/placed.json'))
  delete placed.contract
  world.write(`${CLUSTER}/.run/placed.json`, JSON.stringify(placed), 0o600)
  declare('v1.14.1', 'v1.35.2')
  const { code, stderr } = gen(world)
  assert.is(code, 0, stderr)
  assert.is(contractOf(world), 'v1.12')
  const after = withoutImage(read(world, NAMES[0] ?? ''))
  assert.equal(after.documents, before.documents)
  assert.is(after.image, before.image.replace('v1.12.9', 'v1.14.1'))
  declare('v1.14.1', 'v1.37.0')
  assert.is(gen(world).code, 0)
  const text = read(world, NAMES[0] ?? '')
  assert.equal(text.match(/image: (?!factory)\S+/g), [
    'image: ghcr.io/siderolabs/kubelet:v1.37.0',
    ...['apiserver', 'controller-manager', 'proxy', 'scheduler'].map(
      (one) => `image: registry.k8s.io/kube-${one}:v1.37.0`,
    ),
  ])
  assert.equal(
    JSON.parse(JSON.stringify(withoutImage(text).documents).replaceAll('v1.37.0', 'v1.35.2')),
    before.documents,
  )
  assert.not.match(text, 'stand-in')
})

test('takes a talconfig.yaml that says 1.14 in the form of 1.13, with its patches from where they lie', ({ world }) => {
  rmSync(join(world.dir, 'clusters'), { recursive: true })
  const talconfig = (version: string) => `# a person wrote this
clusterName: home
talosVersion: ${version} # pinned
kubernetesVersion: v1.36.1
endpoint: https://10.0.0.10:6443
allowSchedulingOnControlPlanes: true
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
    installDisk: /dev/sda
    patches:
      - "@./patches/one.yaml"
      - '@../shared/two.yaml'
      - |-
        machine: {install: {image: "registry.example/installer:v1.13.9"}}
`
  world.write('shared/two.yaml', 'machine: {sysctls: {vm.swappiness: "2"}}\n')
  world.write('talos/patches/one.yaml', 'machine: {sysctls: {net.core.somaxconn: "1"}}\n')
  world.write('talos/talconfig.yaml', talconfig('v1.13.9'))
  const run = (entry = 'gen-config') => {
    const argv = ['--import', 'tsx', `workflows/${entry}.ts`, '--cluster', 'home', '--dir', world.dir]
    const { status, stderr } = spawnSync(process.execPath, argv, { cwd: root, env: world.env, encoding: 'utf8' })
    return { code: status, stderr: world.named(stderr) }
  }
  assert.is(run('init').code, 0)
  const config = () => readFileSync(join(world.dir, 'talos/clusterconfig/home-cp-1.yaml'), 'utf8')
  const first = run()
  assert.is(first.code, 0, first.stderr)
  assert.not.match(first.stderr, 'talhelper alone')
  const before = config()
  world.write('talos/talconfig.yaml', talconfig('v1.14.1'))
  const { code, stderr } = run()
  assert.is(code, 0, stderr)
  assert.match(stderr, 'talconfig.yaml:3:15: warning: talhelper alone would write documents of v1.14')
  assert.match(stderr, '(generate: {contract: v1.13} in operations.yaml)')
  // the image of the patch is what the person wrote
  assert.is(config(), before)
  assert.match(before, 'vm.swappiness: "2"')
  assert.match(before, 'registry.example/installer:v1.13.9')
})

test('lets no secret into argv, output or any file but those that are for their owner alone', ({ world }) => {
  const leaves: string[] = []
  const collect = (text: string) =>
    JSON.stringify(parse(text), (_key, value) => {
      if (typeof value === 'string' && value.length >= 8) leaves.push(value)
      return value
    })
  collect(world.sh('sops', ['decrypt', at(world, 'talsecret.sops.yaml')]))
  leaves.push(
    ...(readFileSync(join(world.home, '.config/sops/age/keys.txt'), 'utf8').match(/AGE-SECRET-KEY-\S+/g) ?? []),
  )
  assert.ok(leaves.length > 12)
  const said = [gen(world), gen(world, '--dry-run')]
  world.write(`${CLUSTER}/talenv.yaml`, talenv.replace('v1.36.1', 'v1.35.2').replace('worker-1', 'worker-2'))
  said.push(gen(world, '--output', 'json', '--dry-run'), gen(world))
  withTemplate(world, 'talconfig.j2', (text) => `${text}\nnope: true\n`)
  said.push(gen(world))
  const hay = [world.recorded(), ...said.flatMap(({ stdout, stderr }) => [stdout, stderr])].join('\n')
  const held = new Set(['cluster-7-cp-1.yaml', 'cluster-7-worker-2.yaml', 'talosconfig', 'keys.txt'])
  const files = world.files().filter(({ path }) => !held.has(path.split('/').at(-1) ?? ''))
  for (const leaf of leaves) {
    assert.not.ok(hay.includes(leaf), 'a secret is in argv or output')
    for (const { path, text } of files) assert.not.ok(text.includes(leaf), `a secret is in ${path}`)
  }
})

test.run()
