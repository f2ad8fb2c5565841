import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findTalosctl, talosctlFor } from '../../../scripts/toolchain/find-talosctl.ts'
import { builtToolPath } from '../../../scripts/toolchain/tool-cache.ts'
import { toolTable } from '../../../scripts/toolchain/tool-table.ts'
import { fakeTools } from './fake-tools.ts'

const test = suite<{ fake: ReturnType<typeof fakeTools> }>('find-talosctl')
test.before.each((context) => {
  context.fake = fakeTools()
})
test.after.each(({ fake }) => fake.remove())

for (const [version, read, change] of [
  ['v1.12.9', '1.13 1.14', '1.13 1.14'],
  ['v1.13.9', '1.13 1.14', '1.13 1.14'],
  ['v1.14.1', '1.14 1.13', '1.14'],
  ['v1.15.0', '1.14 1.13', '1.14 1.13'],
] as const)
  test(`for Talos ${version} the nearest minor version comes first, and an older one only reads`, () => {
    const minors = (use: 'read' | 'change') =>
      talosctlFor(version, use)
        .map((name) => name.replace('talosctl-', ''))
        .join(' ')
    assert.equal([minors('read'), minors('change')], [read, change])
  })

/** Where the search ended. */
const found = async (version: string, use: 'read' | 'change', env: NodeJS.ProcessEnv): Promise<string> => {
  const search = await findTalosctl(version, use, env)
  return search.found ? search.version : `${search.detail} (${search.hint})`
}

test('takes the one that fits of those that were built', async ({ fake }) => {
  fake.talosctl(await builtToolPath(toolTable['talosctl-1.13'], fake.env), '1.13.9')
  assert.is(await found('v1.14.1', 'read', fake.env), '1.13.9')
  assert.is(
    await found('v1.14.1', 'change', fake.env),
    'talosctl-1.14 is not on PATH and not built (mise install talosctl@1.14.1)',
  )
  fake.talosctl(await builtToolPath(toolTable['talosctl-1.14'], fake.env), '1.14.1')
  assert.is(await found('v1.14.1', 'change', fake.env), '1.14.1')
  assert.is(await found('v1.13.9', 'change', fake.env), '1.13.9')
})

test('takes the one that is named before one that is nearer, and none beside one that does not fit', async ({
  fake,
}) => {
  fake.talosctl(await builtToolPath(toolTable['talosctl-1.13'], fake.env), '1.13.9')
  const TALOSCTL = fake.talosctl(join(fake.folder, 'mine'), '1.14.0')
  assert.is(await found('v1.13.9', 'change', { ...fake.env, TALOSCTL }), '1.14.0')
  fake.talosctl(TALOSCTL, '1.13.6')
  assert.is(
    await found('v1.13.9', 'change', { ...fake.env, TALOSCTL }),
    `talosctl-1.13 does not fit: ${TALOSCTL} is 1.13.6; >=1.13.7 <1.14 is needed (unset TALOSCTL)`,
  )
})

test('passes over no variable that names nothing, though another one is named too', async ({ fake }) => {
  const TALOSCTL_1_14 = fake.talosctl(join(fake.folder, 'mine'), '1.14.1')
  const env = { ...fake.env, TALOSCTL_1_13: '/nonexistent', TALOSCTL_1_14 }
  assert.is(
    await found('v1.13.9', 'change', env),
    'TALOSCTL_1_13 names /nonexistent, which is no program that can be run (unset TALOSCTL_1_13)',
  )
  assert.is(await found('v1.14.1', 'change', env), '1.14.1')
})

test('names what is on PATH and too old for the target', async ({ fake }) => {
  const old = fake.talosctl(join(fake.bin, 'talosctl'), '1.13.9')
  assert.is(
    await found('v1.14.1', 'change', fake.env),
    `talosctl-1.14 does not fit: ${old} is 1.13.9; >=1.14 <1.15 is needed (mise install talosctl@1.14.1)`,
  )
})

test.run()
