import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Holder, processIdentity, thisHolder } from '../../../scripts/engine/process-identity.ts'
import type { BuildEvent } from '../../../scripts/toolchain/build-tool.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import { builtToolPath } from '../../../scripts/toolchain/tool-cache.ts'
import { toolTable } from '../../../scripts/toolchain/tool-table.ts'
import { fakeTools } from './fake-tools.ts'

const test = suite<{ fake: ReturnType<typeof fakeTools> }>('resolve-tool')
test.before.each((context) => {
  context.fake = fakeTools()
})
test.after.each(({ fake }) => fake.remove())

const buildFolder = async (env: NodeJS.ProcessEnv) => dirname(await builtToolPath(toolTable['etcd-3.6'], env))

async function until(what: string, seen: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!seen()) {
    assert.ok(Date.now() < deadline, `never saw ${what}`)
    await pause(20)
  }
}

/** What stands in a build's folder beside its lock, which stays and says that it was released. */
const leftIn = (folder: string): string[] => readdirSync(folder).filter((name) => !/^lock\.\d+$/.test(name))

/** A lock as a build holds it. */
const lockOf = (pid: number, more: Partial<Holder> = {}): string =>
  JSON.stringify({ ...thisHolder('a build'), pid, identity: processIdentity(pid) ?? 'gone', ...more })

/** The id of a process that has ended. */
const deadProcess = (): number => spawnSync('true').pid

test('builds a missing tool, and finds it the next time without Go', async ({ fake }) => {
  fake.go('3.6.14')
  const events: BuildEvent[] = []
  const built = await resolveTool('etcd-3.6', { env: fake.env, report: (event) => events.push(event) })
  assert.is(built.found && built.source, 'build')
  assert.equal(events[0], { tool: 'etcd-3.6', doing: 'building', detail: '3.6.14 from its pinned module' })
  assert.equal(leftIn(await buildFolder(fake.env)), ['etcd'])
  const found = await resolveTool('etcd-3.6', { env: { ...fake.env, PATH: '/usr/bin:/bin' } })
  assert.is(found.found && found.source, 'cache')
  assert.is(fake.calls(), 1)
})

test('says that there is no Go, and the line that installs the tool', async ({ fake }) => {
  const search = await resolveTool('etcd-3.6', { env: { ...fake.env, PATH: fake.bin } })
  assert.equal(search, {
    found: false,
    name: 'etcd-3.6',
    buildable: true,
    detail: 'etcd-3.6 is not on PATH and not built; etcd-3.6 cannot be built: there is no Go to build it with',
    hint: 'mise install etcd@3.6.14',
  })
})

test('builds nothing when the environment names a program that does not fit', async ({ fake }) => {
  fake.go('3.6.14')
  const ETCD = fake.etcd(join(fake.folder, 'my-etcd'), '3.5.9')
  assert.is((await resolveTool('etcd-3.6', { env: { ...fake.env, ETCD } })).found, false)
  assert.is(fake.calls(), 1)
  assert.not.ok(existsSync(await buildFolder(fake.env)))
})

test('passes on the last words of a build that fails, and leaves nothing of it', async ({ fake }) => {
  fake.go('3.6.14', 'echo half > "$2"; echo "missing go.sum entry" >&2; exit 1')
  const search = await resolveTool('etcd-3.6', { env: fake.env })
  assert.match(search.found ? '' : search.detail, /cannot be built: go build ended with 1\n.*missing go\.sum entry/)
  assert.equal(leftIn(await buildFolder(fake.env)), [])
})

test('does not keep a build of another version', async ({ fake }) => {
  fake.go('3.7.0')
  const search = await resolveTool('etcd-3.6', { env: fake.env })
  assert.match(search.found ? '' : search.detail, /the build says that it is 3\.7\.0; >=3\.6 <3\.7 is needed/)
  assert.equal(leftIn(await buildFolder(fake.env)), [])
})

test('several processes at once build once, and all get the tool', async ({ fake }) => {
  // The build goes on until a second process has said that it waits.
  const go = join(fake.folder, 'go-on')
  fake.go('3.6.14', `while [ ! -e ${go} ]; do sleep 0.05; done`)
  const started = [1, 2, 3].map(() => fake.tools(['etcd-3.6']))
  await until(
    'two that wait',
    () => started.filter(({ output }) => output().includes('waiting for process')).length === 2,
  )
  writeFileSync(go, '')
  for (const { ended } of started) assert.is((await ended).code, 0)
  // One start of Go; the tool itself is not one of the scripts that count.
  assert.is(fake.calls(), 1)
  assert.equal(leftIn(await buildFolder(fake.env)), ['etcd'])
})

test('takes over from a process that died while it built', async ({ fake }) => {
  fake.go('3.6.14')
  const folder = await buildFolder(fake.env)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'lock.7'), lockOf(deadProcess()))
  writeFileSync(join(folder, 'unfinished.1'), 'half a program')
  assert.is((await resolveTool('etcd-3.6', { env: fake.env })).found, true)
  assert.equal(leftIn(folder), ['etcd'])
})

const waitedFor: [who: string, lock: string, says: RegExp][] = [
  ['a holder that is alive', lockOf(process.pid), new RegExp(`^for process ${process.pid} on ${hostname()}, which`)],
  [
    'a holder in another container, with the file to remove where it is dead,',
    lockOf(1, { pidNamespace: 'pid:[1] other', host: 'another' }),
    /^for process 1 on another \(rm \S+lock\.1 # only where it is known to be dead\), which/,
  ],
]

for (const [who, lock, says] of waitedFor)
  test(`waits for ${who} until it is told to stop`, async ({ fake }) => {
    fake.go('3.6.14')
    const folder = await buildFolder(fake.env)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'lock.1'), lock)
    const stop = new AbortController()
    let heard = ''
    const waiting = resolveTool('etcd-3.6', {
      env: fake.env,
      signal: stop.signal,
      report: ({ detail }) => {
        heard = detail
        stop.abort()
      },
    })
    const error = await waiting.then(
      () => undefined,
      (reason: Error) => reason,
    )
    assert.is(error?.name, 'AbortError')
    assert.match(heard, says)
    assert.is(fake.calls(), 0)
    assert.equal(leftIn(folder), [])
  })

test('npm run tools ends its build when it is told to stop, and leaves nothing of it', async ({ fake }) => {
  const pidFile = join(fake.folder, 'go.pid')
  fake.go('3.6.14', `echo half > "$2"; echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`)
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const started = fake.tools(['etcd-3.6'])
    await until('the build', () => existsSync(pidFile))
    const pid = Number(readFileSync(pidFile, 'utf8'))
    started.child.kill(signal)
    assert.is((await started.ended).code, code)
    assert.throws(() => process.kill(pid, 0), /ESRCH/)
    assert.equal(leftIn(await buildFolder(fake.env)), [])
    rmSync(pidFile)
  }
})

test('npm run tools -- --check starts no build, and exits 69 when a tool is missing', async ({ fake }) => {
  fake.go('3.6.14')
  const { code, output } = await fake.tools(['--check', 'etcd-3.6']).ended
  assert.is(code, 69)
  assert.match(
    output,
    /^etcd-3\.6 {6}missing: etcd-3\.6 is not on PATH and not built\n +try: mise install etcd@3\.6\.14\n$/,
  )
  assert.is(fake.calls(), 0)
})

test('npm run tools -- --check exits 0 when only a tool is missing that one can do without', async ({ fake }) => {
  const { code, output } = await fake.tools(['--check', 'task']).ended
  assert.match(output, /^task {10}missing/)
  assert.is(code, 0)
})

test('npm run tools refuses names and flags that it does not know', async ({ fake }) => {
  for (const argv of [['helm'], ['--chekc']]) assert.is((await fake.tools(argv).ended).code, 64, argv.join(' '))
})

test.run()
