/** What each real talosctl says of machine configurations, and that none of it quotes a secret. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { createTalos } from '../../../../scripts/cluster/talos.ts'
import { eachLeaf } from '../../../../scripts/config/diff/secret-leaves.ts'
import { createRun, type Run } from '../../../../scripts/run.ts'
import { resolveTool } from '../../../../scripts/toolchain/resolve-tool.ts'
import { judgeConfigurations } from '../../../../scripts/tools/talosctl/judge-configurations.ts'
import { type Answered, commandResult } from '../../../support/command-result.ts'

const folder = mkdtempSync(join(tmpdir(), 'judge-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const clients = ['talosctl-1.13', 'talosctl-1.14'] as const
const paths = new Map(
  await Promise.all(
    clients.map(async (name): Promise<[string, string]> => {
      const tool = await resolveTool(name)
      if (!tool.found) throw new Error(tool.detail)
      return [name, tool.path]
    }),
  ),
)
const runOf = (client: string): Run =>
  createRun({ paths: { talosctl: paths.get(client) ?? '' }, env: { ...process.env, HOME: folder } })

const generate = (client: string, ...more: string[]): string => {
  const argv = ['gen', 'config', 'c', 'https://10.0.0.1:6443', '-o', folder, '--force', '--with-docs=false', ...more]
  execFileSync(paths.get(client) ?? '', [...argv, '--with-examples=false'], { env: { HOME: folder }, stdio: 'ignore' })
  return readFileSync(join(folder, 'controlplane.yaml'), 'utf8')
}
const plain = generate('talosctl-1.13', '--talos-version=v1.12')
const of114 = generate('talosctl-1.14')
const withBoth = plain.replace(/^( +)(install:\n)/m, '$1$2$1$1extraKernelArgs: [a=b]\n')
const withKind = (kind: string) => `${plain}---\napiVersion: v1alpha1\nkind: ${kind}\nname: x\n`
const CANARY = 'canary-in-the-mine'
const withMachine = (line: string) => plain.replace(/^machine:\n/m, `machine:\n    ${line}\n`)

const rows: [what: string, text: string, says: Record<(typeof clients)[number], RegExp | undefined>][] = [
  ['an ordinary one', plain, { 'talosctl-1.13': undefined, 'talosctl-1.14': undefined }],
  [
    'one of 1.14',
    of114,
    {
      'talosctl-1.13': /^error decoding document v1alpha1\/\w+.*"v1alpha1": not registered$/,
      'talosctl-1.14': undefined,
    },
  ],
  [
    'kernel arguments beside those of the image',
    withBoth,
    {
      'talosctl-1.13': /install\.extraKernelArgs and install\.grubUseUKICmdline can't be used together/,
      'talosctl-1.14': /install\.extraKernelArgs and install\.grubUseUKICmdline can't be used together/,
    },
  ],
  [
    'a document of a kind that nobody knows',
    withKind('UnheardOfConfig'),
    { 'talosctl-1.13': /"UnheardOfConfig" "v1alpha1": not registered/, 'talosctl-1.14': /"UnheardOfConfig"/ },
  ],
  [
    'a secret under a name that is none',
    withMachine(`passwort: ${CANARY}`),
    {
      'talosctl-1.13': /unknown keys found during decoding: machine\.passwort$/,
      'talosctl-1.14': /unknown keys found during decoding: machine\.passwort$/,
    },
  ],
  [
    'a secret where a map belongs',
    withMachine(`sysctls: ${CANARY}`),
    { 'talosctl-1.13': /cannot (unmarshal|construct)/, 'talosctl-1.14': /cannot (unmarshal|construct)/ },
  ],
  ['no YAML', `a: [${CANARY}`, { 'talosctl-1.13': /./, 'talosctl-1.14': /./ }],
]

for (const client of clients)
  for (const [what, text, says] of rows)
    test(`${client} ${says[client] ? 'objects to' : 'takes'} ${what}, and quotes nothing secret`, async () => {
      const ran: string[] = []
      const run: Run = (command, options) => {
        ran.push(command.argv.join(' '))
        return runOf(client)(command, options)
      }
      const found = await judgeConfigurations(run, [{ name: 'a', text, mode: 'metal' }], { strict: false })
      const objection = found.get('a')
      const wanted = says[client]
      if (wanted) assert.match(objection ?? '', wanted)
      else assert.is(objection, undefined)
      const shown = `${objection} ${ran}`
      assert.not.match(shown, CANARY)
      assert.not.match(shown, CANARY.slice(0, 5))
      const { machine, cluster } = parse(plain.split('\n---')[0] ?? '') as Record<string, object>
      eachLeaf([machine, cluster], (path, value) => {
        if (/^(token|key|crt|id|secret)$/.test(String(path.at(-1)))) assert.not.match(shown, String(value))
      })
      assert.equal(ran, ['validate --mode metal --config'], 'no file holds it')
    })

test('what ends without a word, or not at all, is an objection', async () => {
  const ends: [Answered, RegExp][] = [
    [{ ended: { by: 'deadline' } }, /did not end in time/],
    [{ exitCode: 3 }, /ended with 3 and said nothing/],
    [{ ended: { by: 'signal', signal: 'SIGKILL' } }, /was ended by SIGKILL/],
  ]
  for (const [how, says] of ends) {
    const judged = [{ name: 'a', text: '', mode: 'metal' as const }]
    const found = await judgeConfigurations(async () => commandResult(how), judged, { strict: false })
    assert.match(found.get('a') ?? '', says)
  }
})

test('configurations that are alike are judged once, and each of their names gets what is said', async () => {
  const judged = [
    { name: 'a', text: 'x', mode: 'metal' as const },
    { name: 'b', text: 'x', mode: 'metal' as const },
    { name: 'c', text: 'x', mode: 'cloud' as const },
    { name: 'd', text: 'y', mode: 'metal' as const },
  ]
  const ran: string[] = []
  const run: Run = async ({ argv, stdin }) => {
    ran.push(`${argv[2]} ${stdin}`)
    return commandResult(stdin === 'x' ? { exitCode: 1, stderr: 'no good' } : {})
  }
  const found = await judgeConfigurations(run, judged, { strict: false })
  assert.equal(ran.sort(), ['cloud x', 'metal x', 'metal y'])
  assert.equal(
    [...found].sort(),
    ['a', 'b', 'c'].map((name) => [name, 'no good']),
  )
})

test('the configuration that a node runs is read once, judged where it is asked for, and goes nowhere else', async () => {
  const nodes = ['a', 'b'].map((name, i) => ({ name, address: `10.0.0.${i + 1}`, role: 'controlplane' as const }))
  const texts: Record<string, string> = { '10.0.0.1': plain, '10.0.0.2': withBoth }
  const ran: string[][] = []
  const run: Run = async (command, options) => {
    ran.push([...command.argv])
    if (command.argv.includes('validate')) return runOf('talosctl-1.13')(command, options)
    const stdout = nodes
      .map(({ address }) => {
        const metadata = { id: 'v1alpha1', version: '1' }
        return JSON.stringify({ node: address, metadata, spec: texts[address] }, undefined, 4)
      })
      .join('\n')
    return commandResult({ stdout })
  }
  const talosconfig = join(folder, 'talosconfig')
  const talos = createTalos(run, { talosconfig, endpoints: ['10.0.0.1'] })
  const judge = { to: 'v1.13.10', modes: { a: 'metal', b: 'metal' } } as const
  const seen = await talos.configurations(nodes, { timeoutMs: 5_000, judge })
  assert.equal(seen.a?.ok && seen.a.value.judged, { for: 'v1.13.10' })
  assert.match((seen.b?.ok && seen.b.value.judged?.objection) || '', /can't be used together/)
  assert.is(ran.length, 3, 'one read, and a judgement for each')
  assert.not.match(JSON.stringify([ran, seen]), /kind:|machine:|PRIVATE|LS0t/)

  ran.length = 0
  const asked = await talos.configurations(nodes, { timeoutMs: 5_000, judge: { ...judge, modes: { b: 'metal' } } })
  assert.is(asked.a?.ok && asked.a.value.judged, undefined)
  assert.is(ran.filter((argv) => argv.includes('validate')).length, 1)
})

test.run()
