import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { protectFromGit } from '../../../../scripts/config/secrets/protect-from-git.ts'
import { failureText } from '../../../../scripts/view/failure-text.ts'
import { type SecretsWorld, secretsWorld } from '../../../support/secrets-world.ts'

const test = suite<{ world: SecretsWorld }>('protection from git')

test.before.each(async (context) => {
  context.world = await secretsWorld()
})
test.after.each(({ world }) => world.remove())

const folderOf = ({ dir }: SecretsWorld) => join(dir, 'clusters/cluster-7')
const protect = (world: SecretsWorld, more: { generated?: string; dryRun?: boolean } = {}) =>
  protectFromGit({ folder: folderOf(world), dir: world.dir, tools: world.tools, ...more })

async function wrong(world: SecretsWorld): Promise<string[]> {
  const done = await protect(world)
  return done.ok ? [] : done.failure.map((failure) => `${failure.reason}: ${world.named(failureText(failure))}`)
}
const isIgnored = (world: SecretsWorld, path: string): boolean => {
  try {
    return world.sh('git', ['check-ignore', path]) !== ''
  } catch {
    return false
  }
}

const generated = ['talosconfig', 'kubeconfig', 'talconfig.rendered.yaml', 'cluster-7-k8s-1.yaml']

test('ignores what is generated and the identity, and nothing that belongs into git', async ({ world }) => {
  assert.ok((await protect(world)).ok)
  for (const name of generated) assert.ok(isIgnored(world, `clusters/cluster-7/${name}`), name)
  assert.ok(isIgnored(world, 'age.key'))
  for (const path of [
    'clusters/cluster-7/talsecret.sops.yaml',
    'clusters/cluster-7/talenv.yaml',
    'apps/cluster-a-b.yaml',
  ])
    assert.not.ok(isIgnored(world, path), path)
})

test('adds its lines once, after those of a person', async ({ world }) => {
  const file = world.write('clusters/cluster-7/.gitignore', '# mine\n*.bak', 0o640)
  assert.ok((await protect(world)).ok)
  const text = readFileSync(file, 'utf8')
  assert.is(text, '# mine\n*.bak\n/talosconfig\n/kubeconfig\n/talconfig.rendered.yaml\n/cluster-*-*.yaml\n')
  const again = await protect(world)
  assert.equal(again, { ok: true, value: [] })
  assert.is(readFileSync(file, 'utf8'), text)
})

test('adds no line that a rule above says already', async ({ world }) => {
  world.write('.gitignore', 'clusters/*/*\n!clusters/*/*.sops.yaml\nage.key\n')
  assert.equal(await protect(world), { ok: true, value: [] })
  assert.not.ok(existsSync(folderOf(world)))
})

test('only tells in a dry run', async ({ world }) => {
  const told = await protect(world, { dryRun: true })
  assert.ok(told.ok)
  assert.equal(
    told.value.map(({ file, lines }) => [world.named(file), lines.length]),
    [
      ['<dir>/clusters/cluster-7/.gitignore', 4],
      ['<dir>/.gitignore', 1],
    ],
  )
  assert.equal(world.files(), [])
})

test('covers the folder of talhelper where node files have any name', async ({ world }) => {
  assert.ok((await protect(world, { generated: 'clusterconfig/' })).ok)
  assert.ok(isIgnored(world, 'clusters/cluster-7/clusterconfig/home-k8s-1.yaml'))
  assert.ok(isIgnored(world, 'clusters/cluster-7/clusterconfig/talosconfig'))
  assert.not.ok(isIgnored(world, 'clusters/cluster-7/home-k8s-1.yaml'))
})

test('prepares a folder that is no repository yet', async ({ world }) => {
  rmSync(join(world.dir, '.git'), { recursive: true })
  assert.ok((await protect(world)).ok)
  assert.equal(await protect(world), { ok: true, value: [] })
  world.sh('git', ['init', '-q'])
  for (const name of generated) assert.ok(isIgnored(world, `clusters/cluster-7/${name}`), name)
})

test('has the last word in its own file', async ({ world }) => {
  const file = world.write('clusters/cluster-7/.gitignore', '/talosconfig\n!talosconfig\n')
  assert.ok((await protect(world)).ok)
  assert.ok(isIgnored(world, 'clusters/cluster-7/talosconfig'))
  assert.match(readFileSync(file, 'utf8'), /!talosconfig\n\/talosconfig\n/)
})

test('refuses where a deeper folder takes its word back, and does not repeat itself', async ({ world }) => {
  world.write('clusters/cluster-7/clusterconfig/.gitignore', '!*.yaml\n')
  const refusal = async () => {
    const done = await protect(world, { generated: 'clusterconfig/' })
    return done.ok ? '' : done.failure.map((failure) => world.named(failureText(failure))).join()
  }
  const file = '<dir>/clusters/cluster-7'
  const told = `git would take up ${file}/clusterconfig/*.yaml, although ${file}/.gitignore names it (git -C ${file} check-ignore --no-index -v '${file}/clusterconfig/*.yaml')`
  assert.is(await refusal(), told)
  const text = readFileSync(join(folderOf(world), '.gitignore'), 'utf8')
  assert.is(await refusal(), told)
  assert.is(readFileSync(join(folderOf(world), '.gitignore'), 'utf8'), text)
})

test('names what git holds and must not, by file', async ({ world }) => {
  world.write('clusters/cluster-7/talosconfig', 'context: x\n')
  world.write('talos/talsecret.yaml', world.sh('talhelper', ['gensecret']))
  world.write('keys.txt', world.sh('age-keygen', []))
  world.write('talos/worker.yaml', 'machine:\n  type: worker\n  token: abcdef.0123456789abcdef\n')
  world.write('talos/harmless.yaml', 'token: $TOKEN\nkey: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t\n')
  world.write('clusters/cluster-7/cluster-7-k8s-1.yaml', 'machine: {}\n')
  world.write('clusters/cluster-9-old/x.yaml', 'a: 1\n')
  world.sh('git', ['add', '-f', '.'])
  const kept = 'is in git and holds secrets in plain text, which its history keeps'
  const never = 'is in git, where it must never be'
  assert.equal(await wrong(world), [
    `secret-in-git: <dir>/clusters/cluster-7/cluster-7-k8s-1.yaml ${never} (git -C <dir> rm --cached clusters/cluster-7/cluster-7-k8s-1.yaml)`,
    `secret-in-git: <dir>/clusters/cluster-7/talosconfig ${never} (git -C <dir> rm --cached clusters/cluster-7/talosconfig)`,
    `secret-in-git: <dir>/keys.txt ${kept} (git -C <dir> rm --cached keys.txt)`,
    `secret-in-git: <dir>/talos/talsecret.yaml ${kept} (git -C <dir> rm --cached talos/talsecret.yaml)`,
    `secret-in-git: <dir>/talos/worker.yaml ${kept} (git -C <dir> rm --cached talos/worker.yaml)`,
  ])
  assert.not.ok(existsSync(join(world.dir, '.gitignore')))
  for (const path of ['keys.txt', 'talos', 'clusters/cluster-7']) world.sh('git', ['rm', '-r', '-q', '--cached', path])
  assert.equal(await wrong(world), [])
})

test('finds every kind of private key that Talos writes', async ({ world }) => {
  const bundle = world.sh('talhelper', ['gensecret'])
  const keys = [...bundle.matchAll(/^ {4}key: (.*)$/gm)].map(([, key = '']) => key)
  assert.is(keys.length, 5)
  for (const [index, key] of keys.entries()) world.write(`k${index}.yaml`, `a: ${key}\n`)
  world.sh('git', ['add', '.'])
  assert.is((await wrong(world)).length, 5)
})

test('does not pass over a repository that git will not look at', async ({ world }) => {
  const head = join(world.dir, '.git/HEAD')
  rmSync(head)
  const told = await wrong(world)
  assert.match(told.join(), /^secret-in-git: git does not tell what it would take up of <dir>: not a git repository/)
  const git = join(world.dir, '..', 'bin', 'git')
  rmSync(git)
  const env = { ...world.env, PATH: '/nowhere' }
  const missing = await protectFromGit({ folder: folderOf(world), dir: world.dir, tools: { env } })
  assert.is(missing.ok ? '' : missing.failure[0]?.reason, 'tool-missing')
})

for (const verb of ['ls-files', 'grep'])
  test(`takes no silence of a \`git ${verb}\` that was killed for an answer`, async ({ world }) => {
    const git = world.write(
      'bin/git',
      `#!/bin/sh\ncase "$*" in *${verb}*) kill -9 $$ ;; *) exec git "$@" ;; esac\n`,
      0o755,
    )
    const tools = { ...world.tools, paths: { ...world.tools.paths, git } }
    const done = await protectFromGit({ folder: folderOf(world), dir: world.dir, tools })
    assert.is(done.ok, false)
    if (done.ok) return
    const says = ['git was ended by SIGKILL, and did not tell what it holds of <dir>']
    assert.equal(
      done.failure.map(({ detail = '' }) => world.named(detail)),
      says,
    )
  })

test.run()
