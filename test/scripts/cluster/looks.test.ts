import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import { deafTools } from '../../support/deaf-tools.ts'
import { eventually } from '../../support/eventually.ts'
import { type Running, watchProcess } from '../../support/run-entry.ts'
import { verbs } from '../../support/verbs.ts'

const test = suite('commands that only look')
const root = join(import.meta.dirname, '..', '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'looks-'))
const folder = join(dir, 'clusters', 'cluster-101')

test.before(async () => {
  mkdirSync(folder, { recursive: true })
  cpSync(join(root, 'clusters', 'cluster-101', 'talenv.yaml'), join(folder, 'talenv.yaml'))
  writeFileSync(join(folder, 'operations.yaml'), 'deadlines:\n  observe: 2s\n')
  const tool = await resolveTool('talosctl-1.13')
  if (!tool.found) throw new Error(tool.detail)
  const argv = ['gen', 'config', 'c', 'https://10.0.0.1:6443', '-t', 'talosconfig', '-o', join(folder, 'talosconfig')]
  execFileSync(tool.path, argv, { env: { HOME: dir }, cwd: dir, stdio: 'ignore' })
})
test.after(() => rmSync(dir, { recursive: true, force: true }))

const start = (words: readonly string[], env: NodeJS.ProcessEnv): Running => {
  const [name = '', ...flags] = words
  const argv = ['--import', 'tsx', `workflows/${name}.ts`, '--cluster', '101', '--dir', dir, ...flags]
  return watchProcess(process.execPath, argv, { ...process.env, ...env })
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const assertNobodyLeft = (pids: () => number[]) =>
  eventually(
    () => !pids().some(isAlive) || undefined,
    () => `left behind: ${pids().filter(isAlive).join(', ')}`,
  )

const looks = [
  ['status'],
  ['status', '--drain', '--output', 'json'],
  ['upgrade', '--dry-run'],
  ['gen-config', '--dry-run'],
  ['import-terraform', '--terraform-dir', dir, '--dry-run'],
] as const

for (const [index, words] of looks.entries()) {
  const [signal, code] = index % 2 === 0 ? (['SIGINT', 130] as const) : (['SIGTERM', 143] as const)
  for (const evenVersions of [false, true]) {
    if (evenVersions && index > 0) continue
    const title = evenVersions ? 'does not even tell its version' : 'does not answer'
    test(`${words.join(' ').replace(dir, 'x')} ends at ${signal} with all that it started, beside a tool that ${title}`, async () => {
      const tools = deafTools({ evenVersions })
      const run = start(words, tools.env)
      await eventually(
        () => tools.started().length > 0 || undefined,
        () => 'no tool was ever started',
      )
      run.kill(signal)
      const { code: ended, stdout, stderr } = await run.closed
      assert.is(ended, code, `${stdout}${stderr}`)
      assert.match(`${stdout}${stderr}`, `node --import tsx workflows/${words[0]}.ts --cluster 101`)
      await assertNobodyLeft(tools.started)
      tools.remove()
    })
  }
}

for (const words of [['status'], ...verbs.map((verb) => [verb, '--dry-run'])])
  test(`${words.join(' ')} waits for nobody for ever, and leaves nobody behind`, async () => {
    const tools = deafTools()
    const { code, stderr, stdout } = await start(words, tools.env).closed
    assert.is(code, 69, `${stdout}${stderr}`)
    await assertNobodyLeft(tools.started)
    tools.remove()
  })

test('a tool that does not tell its version, and does not end when it is asked to, is no tool', async () => {
  const tools = deafTools({ evenVersions: true })
  const { code, stderr } = await start(['status'], tools.env).closed
  assert.is(code, 69)
  assert.match(stderr, /does not tell its version/)
  await assertNobodyLeft(tools.started)
  tools.remove()
})

test.run()
