import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { addSopsRule, pathRegexFor } from '../../../../scripts/config/secrets/add-sops-rule.ts'
import { defaultIdentityFile, findIdentities } from '../../../../scripts/config/secrets/find-identities.ts'
import { sopsRule } from '../../../../scripts/config/secrets/sops-rule.ts'
import { createRun } from '../../../../scripts/run.ts'
import { type SecretsWorld, secretsWorld } from '../../../support/secrets-world.ts'

const test = suite<{ world: SecretsWorld; a: string; b: string }>('rules of .sops.yaml')

test.before(async (context) => {
  context.world = await secretsWorld({ repository: false })
  const recipient = () => context.world.sh('age-keygen', ['-y'], context.world.sh('age-keygen', [])).trim()
  Object.assign(context, { a: recipient(), b: recipient() })
})
test.after(({ world }) => world.remove())

const file = 'clusters/cluster-7/talsecret.sops.yaml'

/** A .sops.yaml with A and B for recipients; what sops itself makes of it is the oracle. */
const configs: [what: string, config: string][] = [
  ['the first that matches', `creation_rules: [{path_regex: talsecret, age: A}, {path_regex: sops, age: B}]`],
  [
    'one further down',
    `creation_rules: [{path_regex: ^kubernetes/, age: A}, {path_regex: 'talsecret\\.sops\\.yaml$', age: B}]`,
  ],
  ['one without path_regex', `creation_rules: [{path_regex: nothing, age: A}, {age: B}]`],
  ['from its own folder on', `creation_rules: [{path_regex: ^clusters/, age: A}, {age: B}]`],
  ['not by what is above its folder', `creation_rules: [{path_regex: tree/, age: A}, {age: B}]`],
  ["with Go's flags", `creation_rules: [{path_regex: '(?i)TALSECRET', age: A}, {age: B}]`],
  ['several recipients in one line', `creation_rules: [{age: "A, B"}]`],
  ['a list of recipients', `creation_rules: [{age: [A, B]}]`],
  ['key groups', `creation_rules: [{key_groups: [{age: [A]}, {age: [B]}], shamir_threshold: 2}]`],
  ['merged key groups', `creation_rules: [{key_groups: [{merge: [{age: [A]}, {age: [B]}]}]}]`],
  ['none', `creation_rules: [{path_regex: ^kubernetes/, age: A}]`],
]

for (const [what, text] of configs)
  test(`finds what sops takes: ${what}`, ({ world, a, b }) => {
    world.write('.sops.yaml', text.replace(/\bA\b/g, a).replace(/\bB\b/g, b))
    const path = join(world.dir, file)
    mkdirSync(dirname(path), { recursive: true })
    const argv = ['encrypt', '--filename-override', path, '--input-type', 'yaml', '--output-type', 'yaml']
    let taken: string[] | undefined
    try {
      const { sops } = parse(world.sh('sops', argv, 'a: b\n'))
      const groups: { age?: { recipient: string }[] }[] = sops.key_groups ?? [sops]
      taken = groups.flatMap(({ age = [] }) => age.map(({ recipient }) => recipient))
    } catch {
      taken = undefined
    }
    const rule = sopsRule(path, {})
    assert.equal(rule.found === 'rule' ? rule.recipients : undefined, taken)
    assert.is(taken === undefined, what === 'none')
  })

test('says where the rule is, and by which of its keys a part stays plain', ({ world, a }) => {
  const path = join(world.dir, file)
  world.write(
    '.sops.yaml',
    `creation_rules:\n  - path_regex: x/\n  - pgp: F\n    age: ${a}\n    encrypted_regex: ^data$\n`,
  )
  const rule = sopsRule(path, {})
  assert.equal(rule, {
    found: 'rule',
    config: join(world.dir, '.sops.yaml'),
    place: `${join(world.dir, '.sops.yaml')}:3:5: creation_rules[1]`,
    recipients: [a],
    otherKeys: true,
    partly: 'encrypted_regex',
  })
})

test('takes the configuration that SOPS_CONFIG names', ({ world, a }) => {
  world.write('.sops.yaml', 'creation_rules: []\n')
  const other = world.write('other/.sops.yaml', `creation_rules: [{age: ${a}}]\n`)
  const rule = sopsRule(join(world.dir, file), { SOPS_CONFIG: other })
  assert.is(rule.found === 'rule' && rule.config, other)
})

test('a rule that was added is one that sops takes, whatever the path holds', ({ world, a }) => {
  for (const name of ['clusters/cluster-7/s.yaml', 'a+b/(c)/s.yaml', 'ä/s.yaml']) {
    const config = join(world.dir, '.sops.yaml')
    rmSync(config, { force: true })
    const path = join(world.dir, name)
    addSopsRule(config, { pathRegex: pathRegexFor(config, path), recipient: a })
    const argv = ['encrypt', '--filename-override', path, '--input-type', 'yaml', '--output-type', 'yaml']
    assert.is(parse(world.sh('sops', argv, 'a: b\n')).sops.age[0].recipient, a)
  }
})

test('identities are looked for where sops and its users keep them', async ({ world }) => {
  const { home, dir, env } = world
  assert.is(defaultIdentityFile({ HOME: '/h' }), '/h/.config/sops/age/keys.txt')
  assert.is(defaultIdentityFile({ HOME: '/h', XDG_CONFIG_HOME: '/x' }), '/x/sops/age/keys.txt')
  assert.is(defaultIdentityFile({ HOME: '/h', XDG_CONFIG_HOME: 'x' }), '/h/.config/sops/age/keys.txt')
  const mac = join(home, 'Library/Application Support/sops/age/keys.txt')
  mkdirSync(dirname(mac), { recursive: true })
  const two = world.sh('age-keygen', []) + world.sh('age-keygen', ['-pq'])
  writeFileSync(mac, two)
  const oneLine = two.match(/^AGE-SECRET-KEY-.*$/gm)?.join(' ')
  const run = createRun(world.tools)
  const found = await findIdentities({ dir, env: { ...env, SOPS_AGE_KEY: oneLine }, run, platform: 'darwin' })
  assert.equal(
    found.map(({ from, recipients }) => [from, recipients.length]),
    [
      ['SOPS_AGE_KEY', 2],
      [mac, 2],
    ],
  )
  assert.equal(found[0]?.recipients, found[1]?.recipients)
  assert.match(found[1]?.recipients[1] ?? '', /^age1pq1/)
  assert.equal(await findIdentities({ dir, env, run, platform: 'linux' }), [])
})

test.run()
