// limit: 900 s
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { toolTable } from '../scripts/toolchain/tool-table.ts'
import { inFull } from './support/in-full.ts'
import { verbs } from './support/verbs.ts'

const test = suite('bad input to every command')
const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'bad-input-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

/** A folder in which cluster 101 is declared, and `spoil` made something of it. */
function declared(name: string, spoil: (folder: string) => void = () => {}): string {
  const folder = join(scratch, name, 'clusters', 'cluster-101')
  mkdirSync(folder, { recursive: true })
  for (const file of ['talenv.yaml', 'operations.yaml'])
    cpSync(join(root, 'clusters', 'cluster-101', file), join(folder, file))
  spoil(folder)
  return join(scratch, name)
}

const replaced = (file: string, content?: string | Buffer) => (folder: string) => {
  rmSync(join(folder, file))
  if (content === undefined) mkdirSync(join(folder, file))
  else writeFileSync(join(folder, file), content)
}

type Talenv = { nodes: { ipAddress?: string }[] }

const edited = (change: (nodes: Talenv['nodes']) => void) => (folder: string) => {
  const file = join(folder, 'talenv.yaml')
  const talenv = parse(readFileSync(file, 'utf8')) as Talenv
  change(talenv.nodes)
  writeFileSync(file, stringify(talenv))
}

const rewritten = (change: (text: string) => string) => (folder: string) => {
  const file = join(folder, 'talenv.yaml')
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

const pipe = (file: string) => (folder: string) => {
  rmSync(join(folder, file))
  execFileSync('mkfifo', [join(folder, file)])
}

const good = declared('good')
const file = join(scratch, 'file')
writeFileSync(file, '')

type Command = {
  /** flags that it wants besides those that name the declaration */
  own: readonly string[]
  declaration: (dir: string) => string[]
  /** what is wrong with the files does not reach it */
  readsNothing?: boolean
  takesNodes?: boolean
  /** with good input it would do something */
  acts?: boolean
  /** what it says where the machine has no tool */
  wants?: RegExp
}

const byCluster = (dir: string) => ['--cluster', '101', '--dir', dir]

const talosctl = /talosctl-1\.1\d is not on PATH and not built \(mise install talosctl@1\.1\d\./

/** Each entry of workflows/, and each verb of the lab. */
const commands: Readonly<Record<string, Command>> = {
  status: { own: [], declaration: byCluster, takesNodes: true, wants: talosctl },
  ...Object.fromEntries(
    verbs.map((name) => [name, { own: ['--dry-run'], declaration: byCluster, takesNodes: true, wants: talosctl }]),
  ),
  init: {
    own: ['--dry-run'],
    declaration: byCluster,
    readsNothing: true,
    wants: /sops is not on PATH and not built \(mise use --global sops@/,
  },
  'gen-config': { own: ['--dry-run'], declaration: byCluster, wants: talosctl },
  'register-schematics': { own: ['--dry-run'], declaration: byCluster },
  'import-terraform': {
    own: ['--terraform-dir', scratch, '--dry-run'],
    declaration: byCluster,
    readsNothing: true,
    wants: /neither terraform nor tofu is on PATH/,
  },
  'validate-talenv': {
    own: [],
    declaration: (dir) => ['--file', join(dir, 'clusters', 'cluster-101', 'talenv.yaml')],
  },
  'lab up': { own: [], declaration: byCluster, acts: true },
  'lab fault': { own: ['wrong-ca', '--node', 'k8s-1'], declaration: byCluster, readsNothing: true },
  ...Object.fromEntries(
    ['lab down', 'lab status', 'lab log', 'lab check'].map((name) => [
      name,
      { own: [], declaration: byCluster, readsNothing: true },
    ]),
  ),
}

test('every entry of workflows/ is among them', () => {
  const entries = readdirSync(join(root, 'workflows')).filter((name) => name.endsWith('.ts'))
  const named = new Set(Object.keys(commands).map((name) => `${name.split(' ')[0]}.ts`))
  assert.equal([...named].sort(), entries.sort())
})

/** In the small size each row is dealt to one of four commands, in turn. */
const isDealt = (row: number, name: string): boolean => inFull || (row + Object.keys(commands).indexOf(name)) % 4 === 0

type Ended = { code: number | null; said: string }

/** Types a command, as `"$@"` of a line of bash. */
function type(words: readonly string[], { line = 'exec "$@"', env = {} } = {}): Promise<Ended> {
  const [name = '', ...flags] = words
  const [entry, ...verb] = name.split(' ')
  const argv = ['-c', line, 'bash', process.execPath, '--import', 'tsx', `workflows/${entry}.ts`, ...verb, ...flags]
  const child = spawn('bash', argv, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })))
}

/** A machine without any of them. */
const noTools: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.values(toolTable).map(({ override }) => [override, ''])),
  ...{ TALOSCTL: '', ETCD: '', TERRAFORM: '' },
  PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
  MISE_DATA_DIR: scratch,
  XDG_CACHE_HOME: join(scratch, 'no-cache'),
}

function assertTold({ code, said }: Ended, codes: readonly number[], ...sentences: readonly RegExp[]): void {
  assert.ok(code !== null && codes.includes(code), `ended with ${code}: ${said}`)
  assert.not.match(said, /^\s+at .*:\d+:\d+/m, 'a stack trace')
  assert.not.match(said, /Error: |undefined|\[object/, said)
  assert.ok(said.trim() !== '', 'it said nothing')
  for (const sentence of sentences) assert.match(said, sentence)
}

for (const [name, { own, declaration, readsNothing, takesNodes, acts, wants }] of Object.entries(commands)) {
  const whole = [name, ...declaration(good), ...own]

  if (isDealt(0, name))
    test(`${name} tells every mistake of its command line at once`, async () => {
      const [unknown, missing, doubled] = await Promise.all([
        type([...whole, '--clustr', '--dirr', 'x']),
        type([name, ...own, '--cluster', '', '--dir']),
        type([name, ...own, '--cluster=1', '--dir=x', '--dir=y', '--cluster=2', '--dir=z']),
      ])
      assertTold(unknown, [64], /--clustr is not a flag .*did you mean --cluster\?/, /--dirr .*did you mean --dir\?/)
      assertTold(missing, [64], /--cluster needs a value/, /--dir needs a value/)
      assertTold(doubled, [64], /--cluster is there more than once/, /--dir is there more than once/)
      assert.is(doubled.said.match(/--dir is there/g)?.length, 1, doubled.said)
    })

  if (isDealt(1, name))
    test(`${name} tells of a cluster, a folder and a node that are not there`, async () => {
      const [cluster, stray, folder, node] = await Promise.all([
        type([name, '--cluster', '../9', '--dir', good, ...own]),
        type([...whole, '101']),
        type(
          [name, ...declaration(good), ...own, '--dir', file].filter(
            (word, at, all) => !(all[at + 1] === good && word === '--dir') && word !== good,
          ),
        ),
        type([...whole, '--nodes', 'k8s-9']),
      ])
      assertTold(cluster, [64, 65])
      assertTold(stray, [64], /101 stands without a flag/)
      assertTold(folder, [64], /file is no folder/)
      assertTold(
        node,
        [takesNodes ? 65 : 64],
        takesNodes ? /declares no node k8s-9 \(did you mean k8s-\d\?\)/ : /--nodes/,
      )
    })

  if (!readsNothing)
    test(`${name} tells of a declaration that can not be read`, async () => {
      const spoilt = [
        ['nothing', undefined, /cluster-101|talenv\.yaml/],
        ['garbage', replaced('talenv.yaml', '{[garbage: : :'), /talenv\.yaml:1:\d+: /],
        ['binary', replaced('talenv.yaml', Buffer.from([0xff, 0xfe, 0, 1, 2])), /talenv\.yaml:1:1: /],
        ['empty', replaced('talenv.yaml', ''), /talenv\.yaml/],
        ['a folder', replaced('talenv.yaml'), /talenv\.yaml is a folder, and a file is wanted/],
        [
          'a tab',
          rewritten((text) => text.replace('  name:', '\tname:')),
          /talenv\.yaml:\d+:1: .*tab.* \(use spaces\)/i,
        ],
        [
          'a key twice',
          rewritten((text) => text.replace(/( {2}name: .*\n)/, '$1$1')),
          /talenv\.yaml:\d+:3: the key name is there twice/,
        ],
        ['no address', edited((nodes) => delete nodes[1]?.ipAddress), /talenv\.yaml:\d+:\d+: .*ipAddress/],
        [
          'one address twice',
          edited((nodes) => Object.assign(nodes[1] ?? {}, { ipAddress: nodes[0]?.ipAddress })),
          /talenv\.yaml:\d+:\d+: two nodes have the address 127\.\S+ \(the other one is on line \d+\)/,
        ],
        ['a folder beside it', replaced('operations.yaml'), /operations\.yaml is a folder, and a file is wanted/],
        ['a pipe', pipe('talenv.yaml'), /talenv\.yaml is no regular file/],
        ['a pipe beside it', pipe('operations.yaml'), /operations\.yaml is no regular file/],
      ] as const
      for (const [how, spoil, sentence] of spoilt.filter((_, row) => isDealt(row, name))) {
        const dir = spoil === undefined ? join(scratch, 'none') : declared(`${name} ${how}`, spoil)
        assertTold(await type([name, ...declaration(dir), ...own]), [65], sentence)
      }
      // root reads everything
      if (process.getuid?.() === 0) return
      const dir = declared(`${name} forbidden`, (folder) => chmodSync(join(folder, 'talenv.yaml'), 0))
      assertTold(await type([name, ...declaration(dir), ...own]), [65], /talenv\.yaml is not for this user to read/)
    })

  if (acts) continue

  if (wants)
    test(`${name} tells which tool is missing`, async () => {
      assertTold(await type(whole, { env: noTools }), [69], wants)
    })

  if (isDealt(2, name))
    test(`${name} ends as ever when nobody reads what it says, and wherever its home is`, async () => {
      const usual = await type(whole)
      const readers = ['exec "$@" <&- >&-', 'exec "$@" <&- >&- 2>&-', 'set -o pipefail; "$@" 2>&1 | head -c 0']
      const codes = await Promise.all(readers.map(async (line) => (await type(whole, { line })).code))
      assert.equal(codes, [usual.code, usual.code, usual.code], usual.said)
      for (const HOME of [undefined, '/proc', file]) {
        const { code, said } = await type(whole, { env: { HOME, XDG_CACHE_HOME: '', XDG_CONFIG_HOME: '' } })
        assert.ok([0, 2, 65, 69].includes(code ?? -1), `HOME=${HOME} ended with ${code}: ${said}`)
        assert.not.match(said, /^\s+at .*:\d+:\d+/m, `HOME=${HOME}: a stack trace`)
      }
    })
}

test.run()
