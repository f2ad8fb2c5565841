import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { type SecretsWorld, secretsWorld } from '../../../support/secrets-world.ts'

const test = suite<{ world: SecretsWorld }>('init')

test.before.each(async (context) => {
  context.world = await secretsWorld()
})
test.after.each(({ world }) => world.remove())

const SECRETS = 'clusters/cluster-7/talsecret.sops.yaml'
const keysFile = ({ home }: SecretsWorld) => join(home, '.config/sops/age/keys.txt')
const next = 'Next: node --import tsx workflows/import-terraform.ts --cluster 7 --dir <dir> --terraform-dir <dir>\n'

/** Every scalar of a YAML text that is long enough to be a secret. */
const leavesOf = (text: string): string[] => {
  const leaves: string[] = []
  JSON.stringify(parse(text), (_, value) => {
    if (typeof value === 'string' && value.length >= 8) leaves.push(value)
    return value
  })
  return leaves
}
const decrypted = (world: SecretsWorld) => world.sh('sops', ['decrypt', join(world.dir, SECRETS)])

test('tells in a dry run what it would do, and does nothing', ({ world }) => {
  const { code, stdout, stderr } = world.init('--dry-run')
  assert.is(
    world.named(stdout),
    [
      'Would make <dir>/clusters/cluster-7',
      'Would add /talosconfig, /kubeconfig, /talconfig.rendered.yaml, /cluster-*-*.yaml to <dir>/clusters/cluster-7/.gitignore; add /age.key to <dir>/.gitignore',
      'Would make an age identity in <home>/.config/sops/age/keys.txt, of which a copy should be kept: nothing else opens the secrets',
      'Would add a rule for clusters/cluster-7/talsecret\\.sops\\.yaml$ to <dir>/.sops.yaml',
      'Would put new secrets, encrypted, into <dir>/clusters/cluster-7/talsecret.sops.yaml',
      '',
    ].join('\n'),
  )
  assert.is(stderr, '')
  assert.is(code, 2)
  assert.equal(world.files(), [])
})

test('makes identity, rule and secrets, and has nothing to do the second time', ({ world }) => {
  const first = world.init()
  assert.is(first.code, 0, first.stderr)
  assert.is(world.named(first.stdout).split('\n').at(-2), next.trimEnd())
  const before = world.files()
  assert.equal(before.map(({ path, mode }) => [world.named(path), mode.toString(8)]).sort(), [
    ['<dir>/.gitignore', '644'],
    ['<dir>/.sops.yaml', '644'],
    ['<dir>/clusters/cluster-7/.gitignore', '644'],
    [`<dir>/${SECRETS}`, '644'],
    ['<home>/.config/sops/age/keys.txt', '600'],
  ])
  for (const flags of [[], ['--dry-run']]) {
    const again = world.init(...flags)
    assert.is(
      world.named(again.stdout),
      `Nothing to do: <dir>/${SECRETS} is there, encrypted, whole and can be opened\n${next}`,
    )
    assert.is(again.code, 0, again.stderr)
  }
  assert.equal(world.files(), before)
  assert.ok(parse(decrypted(world)).certs.os.crt)
})

test('leaves no secret in an argument, in what it prints, or in any other file', ({ world }) => {
  const runs = [world.init('--output', 'json'), world.init(), world.init('--dry-run'), world.init('--output', 'quiet')]
  const identity = readFileSync(keysFile(world), 'utf8').match(/AGE-SECRET-KEY-\w+/)?.[0] ?? ''
  const secrets = [...leavesOf(decrypted(world)), identity]
  assert.ok(secrets.length >= 14)
  // leaves that are base64 of PEM are secrets in their other form as well
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret, 'base64').toString('latin1')])
  const printed = runs.map(({ stdout, stderr }) => stdout + stderr).join('\n')
  assert.ok(world.recorded().includes('gensecret') && world.recorded().includes('encrypt'))
  for (const [index, form] of forms.filter((text) => text.length >= 8).entries()) {
    assert.not.ok(world.recorded().includes(form), `form ${index} is in an argument`)
    assert.not.ok(printed.includes(form), `form ${index} is printed`)
    for (const { path, text } of world.files())
      if (path !== keysFile(world)) assert.not.ok(text.includes(form), `form ${index} is in ${path}`)
  }
})

test('speaks in events for scripts, and not at all for cron', ({ world }) => {
  const { stdout } = world.init('--output', 'json')
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(
    events.map(({ type }) => type),
    ['notice', 'notice', 'notice', 'notice', 'notice', 'run.finished'],
  )
  assert.is(events.at(-1).exitCode, 0)
  assert.equal(world.init('--output', 'quiet'), { code: 0, stdout: '', stderr: '' })
})

test('makes the identity that is named, and says how the next command finds it', ({ world }) => {
  const file = join(world.home, 'mine.txt')
  world.write('clusters/cluster-7/talenv.yaml', '')
  const { code, stdout } = world.init('--age-key', file)
  assert.is(code, 0)
  assert.is(
    world.named(stdout).split('\n').at(-2),
    'Next: SOPS_AGE_KEY_FILE=<home>/mine.txt node --import tsx workflows/gen-config.ts --cluster 7 --dir <dir>',
  )
  assert.not.ok(existsSync(keysFile(world)))
  const lost = world.init()
  assert.is(
    world.named(lost.stderr),
    'no age identity opens it: it is encrypted for <age1>; none was found (name the file with the identity in SOPS_AGE_KEY_FILE)\n',
  )
  assert.is(lost.code, 69)
  world.env.SOPS_AGE_KEY_FILE = file
  assert.is(world.init().code, 0)
})

test('makes the identity where sops is told to look for it', ({ world }) => {
  world.env.SOPS_AGE_KEY_FILE = join(world.home, 'told.txt')
  assert.is(world.init().code, 0)
  assert.ok(existsSync(join(world.home, 'told.txt')))
  assert.not.ok(existsSync(keysFile(world)))
})

test('reuses the identity that the user has', ({ world }) => {
  world.sh('age-keygen', ['-o', join(world.home, 'k.txt')])
  world.env.SOPS_AGE_KEY = readFileSync(join(world.home, 'k.txt'), 'utf8')
  assert.is(world.init().code, 0)
  assert.not.ok(existsSync(keysFile(world)))
  assert.ok(decrypted(world))
})

test('keeps the comments of a .sops.yaml, and adds a rule only where none fits', ({ world }) => {
  const recipient = world.sh('age-keygen', ['-y'], world.sh('age-keygen', [])).trim()
  const before = `# ours\ncreation_rules:\n  # apps\n  - path_regex: ^kubernetes/\n    encrypted_regex: ^(data|stringData)$\n    age: ${recipient} # everyone\n`
  world.write('.sops.yaml', before)
  assert.is(world.init().code, 0)
  const after = readFileSync(join(world.dir, '.sops.yaml'), 'utf8')
  assert.ok(after.startsWith(before), after)
  assert.is(
    world.named(after.slice(before.length)),
    '  - path_regex: clusters/cluster-7/talsecret\\.sops\\.yaml$\n    age: <age1>\n',
  )
})

test('writes nothing where the rule that fits would leave values in plain text', ({ world }) => {
  world.sh('age-keygen', ['-o', join(world.home, 'k.txt')])
  const recipient = world.sh('age-keygen', ['-y', join(world.home, 'k.txt')]).trim()
  world.env.SOPS_AGE_KEY_FILE = join(world.home, 'k.txt')
  world.write('.sops.yaml', `creation_rules:\n  - encrypted_regex: ^(data|stringData)$\n    age: ${recipient}\n`)
  const { code, stderr } = world.init()
  assert.is(
    world.named(stderr),
    '<dir>/.sops.yaml:2:5: creation_rules[0] would leave 14 values in plain text, such as cluster.id; nothing was written (take encrypted_regex out of the rule)\n',
  )
  assert.is(code, 65)
  assert.not.ok(existsSync(join(world.dir, SECRETS)))
})

test('takes over the secrets of talosctl', ({ world }) => {
  const file = join(world.home, 'secrets.yaml')
  world.sh('talosctl-1.13', ['gen', 'secrets', '-o', file])
  const { code, stdout, stderr } = world.init('--from', file)
  assert.is(code, 0, stderr)
  assert.match(stdout, /^Delete .*secrets.yaml when you have looked at all: it holds the same secrets in plain text$/m)
  assert.equal(leavesOf(decrypted(world)).sort(), leavesOf(readFileSync(file, 'utf8')).sort())
  assert.is(world.init('--from', file).code, 0)
  const other = join(world.home, 'other.yaml')
  world.sh('talosctl-1.13', ['gen', 'secrets', '-o', other])
  const refused = world.init('--from', other)
  assert.is(
    world.named(refused.stderr),
    `<dir>/${SECRETS} holds the secrets of another cluster than ${world.named(other)}, and is never overwritten (mv <dir>/${SECRETS} <dir>/${SECRETS}.old)\n`,
  )
  assert.is(refused.code, 77)
})

test("takes over the secrets of a control plane, and refuses a worker's", ({ world }) => {
  const made = join(world.home, 'made')
  world.sh('talosctl-1.13', ['gen', 'config', 'seven', 'https://10.0.0.1:6443', '-o', made])
  const worker = world.init('--from', join(made, 'worker.yaml'))
  assert.is(
    world.named(worker.stderr),
    "<home>/made/worker.yaml: a worker's configuration does not hold the cluster's CAs (name that of a control plane)\n",
  )
  assert.is(worker.code, 65)
  const { code, stderr } = world.init('--from', join(made, 'controlplane.yaml'))
  assert.is(code, 0, stderr)
  const [config] = readFileSync(join(made, 'controlplane.yaml'), 'utf8').split(/^---$/m)
  const { machine, cluster } = parse(config ?? '')
  const { certs } = parse(decrypted(world))
  assert.equal([certs.os, certs.k8s], [machine.ca, cluster.ca])
})

test('names what is not there in secrets that it should take over, and no value', ({ world }) => {
  const file = join(world.home, 'secrets.yaml')
  writeFileSync(file, 'cluster: {id: c2VjcmV0LXZhbHVl, secret: x}\nextra: {thing: hunter22}\n')
  const { code, stderr } = world.init('--from', file)
  assert.is(code, 65)
  assert.match(
    stderr,
    /it is no complete set of secrets: secrets.bootstraptoken is missing, .*extra.thing is not a key/,
  )
  assert.not.match(stderr, /hunter22|c2VjcmV0/)
  assert.match(world.init('--from', join(world.home, 'nowhere')).stderr, /nowhere: it is not there/)
})

test('does not make another cluster beside secrets in plain text', ({ world }) => {
  const file = world.write('clusters/cluster-7/talsecret.yaml', 'cluster: {}\n')
  const { code, stderr } = world.init()
  assert.is(
    world.named(stderr),
    `${world.named(file)} is there: new secrets would make another cluster than the one it belongs to (node --import tsx workflows/init.ts --cluster 7 --dir <dir> --from ${world.named(file)})\n`,
  )
  assert.is(code, 77)
})

test('makes no identity where git would take it up', ({ world }) => {
  const { code, stderr } = world.init('--age-key', join(world.dir, 'mine.txt'))
  assert.is(
    world.named(stderr),
    '<dir>/mine.txt would be inside a git repository that does not ignore it (--age-key <home>/.config/sops/age/keys.txt)\n',
  )
  assert.is(code, 77)
  assert.is(world.init('--age-key', join(world.dir, 'age.key')).code, 0)
  assert.is(spawnSync('git', ['-C', world.dir, 'check-ignore', '-q', 'age.key']).status, 0)
})

test('gives secrets that lost their rule a new one for the same recipients', ({ world }) => {
  assert.is(world.init().code, 0)
  const before = readFileSync(join(world.dir, '.sops.yaml'), 'utf8')
  rmSync(join(world.dir, '.sops.yaml'))
  assert.is(world.init().code, 0)
  assert.is(readFileSync(join(world.dir, '.sops.yaml'), 'utf8'), before)
})

const gpg = spawnSync('gpg', ['--version']).status === 0

if (gpg)
  test('makes and opens secrets by PGP alone, without any age identity', ({ world }) => {
    const gnupg = join(world.home, 'g')
    mkdirSync(gnupg, { mode: 0o700 })
    world.env.GNUPGHOME = gnupg
    const run = (program: string, ...argv: string[]) => spawnSync(program, argv, { env: world.env, encoding: 'utf8' })
    try {
      run(
        'gpg',
        '--batch',
        '--passphrase',
        '',
        '--quick-gen-key',
        'admin@example.com',
        'future-default',
        'default',
        'never',
      )
      const listed = run('gpg', '--batch', '--with-colons', '--list-keys').stdout
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1]
      assert.ok(fingerprint, listed)
      world.write('.sops.yaml', `creation_rules:\n  - pgp: ${fingerprint}\n`)
      for (const flags of [[], []]) {
        const { code, stderr } = world.init(...flags)
        assert.is(code, 0, stderr)
      }
      assert.not.ok(existsSync(keysFile(world)))
      assert.match(readFileSync(join(world.dir, SECRETS), 'utf8'), /fp: [0-9A-F]{40}/)
    } finally {
      run('gpgconf', '--kill', 'all')
    }
  })

test.run()
