import { chmodSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findTool } from '../../../scripts/toolchain/find-tool.ts'
import { builtToolPath, toolModule } from '../../../scripts/toolchain/tool-cache.ts'
import { type ToolName, toolTable } from '../../../scripts/toolchain/tool-table.ts'
import { fakeTools } from './fake-tools.ts'

const test = suite<{ fake: ReturnType<typeof fakeTools> }>('find-tool')
test.before.each((context) => {
  context.fake = fakeTools()
})
test.after.each(({ fake }) => fake.remove())

const root = join(import.meta.dirname, '../../..')

test('takes what the environment names before PATH, and PATH before the cache', async ({ fake }) => {
  const cached = fake.etcd(await builtToolPath(toolTable['etcd-3.6'], fake.env), '3.6.3')
  assert.equal(await findTool('etcd-3.6', fake.env), {
    found: true,
    name: 'etcd-3.6',
    path: cached,
    version: '3.6.3',
    source: 'cache',
  })
  const onPath = fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.2')
  assert.equal(await findTool('etcd-3.6', fake.env), {
    found: true,
    name: 'etcd-3.6',
    path: onPath,
    version: '3.6.2',
    source: 'PATH',
  })
  const named = fake.etcd(join(fake.folder, 'my-etcd'), '3.6.1')
  assert.equal(await findTool('etcd-3.6', { ...fake.env, ETCD: named }), {
    found: true,
    name: 'etcd-3.6',
    path: named,
    version: '3.6.1',
    source: 'environment',
  })
})

test('passes over a tool on PATH that is too old', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), '3.5.9')
  const newer = fake.etcd(join(fake.folder, 'other/etcd'), '3.6.14')
  const found = await findTool('etcd-3.6', { ...fake.env, PATH: `${fake.env.PATH}:${join(fake.folder, 'other')}` })
  assert.is(found.found && found.path, newer)
})

test('says which version it found, which one is needed and what installs it', async ({ fake }) => {
  const old = fake.etcd(join(fake.bin, 'etcd-3.6'), '3.5.9')
  const search = await findTool('etcd-3.6', fake.env)
  assert.equal(search, {
    found: false,
    name: 'etcd-3.6',
    buildable: true,
    detail: `etcd-3.6 does not fit: ${old} is 3.5.9; >=3.6 <3.7 is needed`,
    hint: 'mise install etcd@3.6.14',
  })
})

test('uses nothing else when the environment names a program that does not fit', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.14')
  const named = fake.etcd(join(fake.folder, 'my-etcd'), '3.5.9')
  const search = await findTool('etcd-3.6', { ...fake.env, ETCD: named })
  assert.is(search.found, false)
  assert.equal(!search.found && [search.buildable, search.hint], [false, 'unset ETCD'])
})

test('takes no other program where a variable names none that can be run, and names the variable', async ({ fake }) => {
  const onPath = fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.14')
  const plain = fake.etcd(join(fake.folder, 'my-etcd'), '3.6.1')
  chmodSync(plain, 0o644)
  for (const ETCD of [plain, fake.folder, '/nowhere/etcd'])
    assert.equal(await findTool('etcd-3.6', { ...fake.env, ETCD }), {
      found: false,
      name: 'etcd-3.6',
      buildable: false,
      detail: `ETCD names ${ETCD}, which is no program that can be run`,
      hint: 'unset ETCD',
    })
  const search = await findTool('etcd-3.6', { ...fake.env, ETCD: '' })
  assert.is(search.found && search.path, onPath, 'an empty one names nothing')
})

test('every variable that can name a tool is asked, and heard of where it names nothing', async ({ fake }) => {
  for (const { name, override, sharedOverride } of Object.values(toolTable))
    for (const variable of [override, sharedOverride].filter((text) => text !== undefined)) {
      const search = await findTool(name, { ...fake.env, [variable]: '/nonexistent' })
      assert.match(search.found ? '' : search.detail, `${variable} names /nonexistent`)
      assert.is(!search.found && search.hint, `unset ${variable}`)
    }
})

test('does not run what lies in the current folder', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.14')
  const before = process.cwd()
  try {
    process.chdir(fake.bin)
    for (const PATH of ['.', '', ':'])
      assert.is((await findTool('etcd-3.6', { ...fake.env, PATH })).found, false, `PATH=${PATH}`)
  } finally {
    process.chdir(before)
  }
  assert.is(fake.calls(), 0)
})

test('does not take a program that tells no version', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), 'unknown')
  assert.is((await findTool('etcd-3.6', fake.env)).found, false)
})

test('asks a program once for its version, and again when the file changed', async ({ fake }) => {
  const path = fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.2', { binary: true })
  for (const _ of [1, 2, 3]) assert.is((await findTool('etcd-3.6', fake.env)).found, true)
  assert.is(fake.calls(), 1)
  fake.etcd(path, '3.6.10', { binary: true })
  const search = await findTool('etcd-3.6', fake.env)
  assert.is(search.found && search.version, '3.6.10')
  assert.is(fake.calls(), 2)
})

test('asks the shim of a version manager every time', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.2')
  for (const _ of [1, 2]) await findTool('etcd-3.6', fake.env)
  assert.is(fake.calls(), 2)
})

test('works where the cache cannot be written', async ({ fake }) => {
  fake.etcd(join(fake.bin, 'etcd-3.6'), '3.6.2', { binary: true })
  const file = fake.etcd(join(fake.folder, 'a-file'), '3.6.2')
  assert.is((await findTool('etcd-3.6', { ...fake.env, XDG_CACHE_HOME: file })).found, true)
})

test('keeps one build for one pin under XDG_CACHE_HOME, else under the home folder', async () => {
  const at = (env: NodeJS.ProcessEnv) => builtToolPath(toolTable['etcd-3.6'], env)
  assert.match(await at({ HOME: '/h' }), /^\/h\/\.cache\/talos-workflows\/tools\/etcd-[0-9a-f]{16}\/etcd$/)
  assert.match(await at({ HOME: '/h', XDG_CACHE_HOME: '/c' }), /^\/c\/talos-workflows\/tools\/etcd-/)
  assert.match(await at({ HOME: '/h', XDG_CACHE_HOME: 'relative' }), /^\/h\//)
  const stripped = await builtToolPath({ ...toolTable['etcd-3.6'], ldflags: '' }, { HOME: '/h' })
  assert.is.not(stripped, await at({ HOME: '/h' }))
})

/** Where a search of `etcd-3.7` ended. */
const etcd37 = async (env: NodeJS.ProcessEnv): Promise<string> => {
  const search = await findTool('etcd-3.7', env)
  return search.found ? `${search.path} ${search.source}` : `${search.detail} (${search.hint})`
}

test('looks for a minor version in its variable, the shared one, PATH by both names, mise and the cache', async ({
  fake,
}) => {
  assert.is(await etcd37(fake.env), 'etcd-3.7 is not on PATH and not built (mise install etcd@3.7.1)')
  const cached = fake.etcd(await builtToolPath(toolTable['etcd-3.7'], fake.env), '3.7.1')
  assert.is(await etcd37(fake.env), `${cached} cache`)
  const installs = join(fake.env.HOME ?? '', '.local/share/mise/installs/etcd')
  const older = fake.etcd(join(installs, '3.7.0/bin/etcd'), '3.7.0')
  assert.is(await etcd37(fake.env), `${older} mise`)
  const newer = fake.etcd(join(installs, '3.7.1/etcd'), '3.7.1')
  fake.etcd(join(installs, '3.6.14/etcd'), '3.6.14')
  symlinkSync('3.7.0', join(installs, 'latest'))
  assert.is(await etcd37(fake.env), `${newer} mise`)
  const own = fake.etcd(join(fake.bin, 'etcd-3.7'), '3.7.1')
  assert.is(await etcd37(fake.env), `${own} PATH`)
  const plain = fake.etcd(join(fake.bin, 'etcd'), '3.7.1')
  assert.is(await etcd37(fake.env), `${plain} PATH`)
  fake.etcd(plain, '3.6.14')
  assert.is(await etcd37(fake.env), `${own} PATH`)
  const ETCD = fake.etcd(join(fake.folder, 'shared'), '3.7.1')
  assert.is(await etcd37({ ...fake.env, ETCD }), `${ETCD} environment`)
  const ETCD_3_7 = fake.etcd(join(fake.folder, 'mine'), '3.7.1')
  assert.is(await etcd37({ ...fake.env, ETCD, ETCD_3_7 }), `${ETCD_3_7} environment`)
})

test('looks for what mise has installed where mise is told to keep it', async ({ fake }) => {
  const path = fake.etcd(join(fake.folder, 'data/installs/etcd/3.7.1/etcd'), '3.7.1')
  assert.is(await etcd37({ ...fake.env, MISE_DATA_DIR: join(fake.folder, 'data') }), `${path} mise`)
  const xdg = fake.etcd(join(fake.folder, 'xdg/mise/installs/etcd/3.7.1/etcd'), '3.7.1')
  assert.is(await etcd37({ ...fake.env, XDG_DATA_HOME: join(fake.folder, 'xdg') }), `${xdg} mise`)
})

test('takes a shared variable for the minor version that it names, and for no other one', async ({ fake }) => {
  const ETCD = fake.etcd(join(fake.folder, 'shared'), '3.6.14')
  const cached = fake.etcd(await builtToolPath(toolTable['etcd-3.7'], fake.env), '3.7.1')
  assert.is(await etcd37({ ...fake.env, ETCD }), `${cached} cache`)
  // that of no minor version in the table is nobody's
  fake.etcd(ETCD, '3.5.9')
  assert.is(
    await etcd37({ ...fake.env, ETCD }),
    `etcd-3.7 does not fit: ${ETCD} is 3.5.9; >=3.7 <3.8 is needed (unset ETCD)`,
  )
})

test('does not take the task of Taskwarrior for the runner of Taskfile.yml', () => {
  const version = (output: string) => toolTable.task.versionPattern.exec(output)?.[1] ?? ''
  assert.not.ok(semver.satisfies(version('3.4.1\n'), toolTable.task.range))
  assert.ok(semver.satisfies(version('3.48.0\n'), toolTable.task.range))
  assert.ok(semver.satisfies(version('Task version: v3.40.1 (h1:x=)\n'), toolTable.task.range))
})

for (const name of Object.keys(toolTable) as ToolName[]) {
  const tool = toolTable[name]
  test(`pins one version of ${name} in the table, in go.mod and, where it has the tool, for mise`, () => {
    assert.ok(semver.satisfies(tool.pinned, tool.range))
    const goMod = readFileSync(join(toolModule(tool), 'go.mod'), 'utf8')
    const module = /^\s*(?:require )?(\S+) v(\S+)$/gm
    const pinned = [...goMod.matchAll(module)].find(([, path = '']) => `${tool.goPackage}/`.startsWith(`${path}/`))
    assert.is(pinned?.[2], tool.pinned)
    // no version manager has the servers of Kubernetes
    if (tool.mise === `npm run tools -- ${name} # needs Go`) return
    // age-keygen comes with age
    const [, mise, version] = /^mise (?:use --global|install) (\S+)@(\S+)$/.exec(tool.mise) ?? []
    assert.ok(mise !== undefined && name.startsWith(mise))
    assert.is(version, tool.pinned)
    const wanted = new RegExp(`^${mise} = (?:"${tool.pinned}"|\\[.*"${tool.pinned}".*\\])$`, 'm')
    assert.match(readFileSync(join(root, '.mise.toml'), 'utf8'), wanted)
  })
}

test.run()
