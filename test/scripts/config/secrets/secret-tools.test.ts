import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findSecretTools } from '../../../../scripts/config/secrets/secret-tools.ts'
import { type SecretsWorld, secretsWorld } from '../../../support/secrets-world.ts'

const test = suite<{ world: SecretsWorld }>('secret-tools')
test.before.each(async (context) => {
  context.world = await secretsWorld()
})
test.after.each(({ world }) => world.remove())

test('configurations are judged by the talosctl of the declared Talos', async ({ world }) => {
  for (const [declared, name] of [
    ['v1.12.9', 'talosctl-1.13'],
    ['v1.13.9', 'talosctl-1.13'],
    ['v1.14.1', 'talosctl-1.14'],
  ] as const) {
    const found = await findSecretTools(world.env, { judging: declared })
    assert.match(found.ok ? (found.value.paths.talosctl ?? '') : JSON.stringify(found.failure), new RegExp(`/${name}$`))
  }
})

test('an older talosctl does not judge them, and none is needed where nothing is judged', async ({ world }) => {
  const env = { ...world.env, TALOSCTL_1_14: '', XDG_CACHE_HOME: join(world.home, 'empty'), MISE_DATA_DIR: world.home }
  const found = await findSecretTools({ ...env, PATH: '/usr/bin:/bin' }, { judging: 'v1.14.1' })
  assert.equal(found.ok ? [] : found.failure.map(({ reason, hint }) => [reason, hint]), [
    ['tool-missing', 'mise install talosctl@1.14.1'],
  ])
  assert.ok((await findSecretTools({ ...env, TALOSCTL_1_13: '' })).ok)
})

test.run()
