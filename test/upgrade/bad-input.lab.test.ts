// limit: 600 s
import { execFileSync } from 'node:child_process'
import { webcrypto } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
// the container that @peculiar/x509 2 is built on wants this loaded before it
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { labPaths, readLabConfig } from '../../lab/lab-config.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { startEntry } from '../support/run-entry.ts'

type Talenv = {
  cluster: Record<string, string | number>
  nodes: { hostname: string; ipAddress?: string; controlPlane: boolean }[]
}
type Talosconfig = {
  context: string
  contexts: Record<string, { endpoints: string[]; ca: string; crt: string; key: string }>
}

/** One wrong thing in a cluster that is right otherwise. */
type Case = {
  name: string
  /** one for each way in which it may end; the others are run by the full tier */
  quick?: true
  /** what is wrong with the files, given as the folder of the cluster's declaration */
  spoil?: (folder: string) => void | Promise<void>
  flags?: readonly string[]
  cluster?: string
  entry?: 'upgrade' | 'status'
  /** status ends in the same way */
  alsoStatus?: true
  env?: () => NodeJS.ProcessEnv
  code: number
  /** what is said, on one line each */
  says: RegExp[]
  /** how many lines of failures there are; those about every node come three times */
  lines?: number
}

const test = suite('bad input')
const scratch = mkdtempSync(join(tmpdir(), 'bad-input-'))
let lab: TestLab

test.before(async () => {
  lab = await startLab({ version: 'v1.12.6', target: 'v1.13.9', kubernetesVersion: 'v1.34.2' })
})
test.after(async () => {
  rmSync(scratch, { recursive: true, force: true })
  await lab.down()
})

const edit =
  (change: (talenv: Talenv) => void) =>
  (folder: string): void => {
    const file = join(folder, 'talenv.yaml')
    const talenv = parse(readFileSync(file, 'utf8')) as Talenv
    change(talenv)
    writeFileSync(file, stringify(talenv))
  }

const rewrite =
  (change: (text: string) => string) =>
  (folder: string): void => {
    const file = join(folder, 'talenv.yaml')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  }

const editTalosconfig =
  (change: (context: Talosconfig['contexts'][string]) => void | Promise<void>) =>
  async (folder: string): Promise<void> => {
    const file = join(folder, 'talosconfig')
    const config = parse(readFileSync(file, 'utf8')) as Talosconfig
    for (const context of Object.values(config.contexts)) await change(context)
    writeFileSync(file, stringify(config))
  }

/** A client certificate of the lab's own authority, for that role; it may have ended an hour ago. */
async function certificateOf(role: string, { hasEnded = false } = {}): Promise<{ crt: string; key: string }> {
  const authority = readLabConfig(labPaths(lab.clusterDir))?.authority
  if (authority === undefined) throw new Error('the lab has no authority')
  const ed25519 = { name: 'Ed25519' }
  x509.cryptoProvider.set(webcrypto)
  const keys = (await webcrypto.subtle.generateKey(ed25519, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const authorityKey = x509.PemConverter.decodeFirst(authority.key)
  const signingKey = await webcrypto.subtle.importKey('pkcs8', authorityKey, ed25519, false, ['sign'])
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `O=${role}`,
    issuer: new x509.X509Certificate(authority.crt).subject,
    notBefore: new Date(Date.now() - 7_200_000),
    notAfter: new Date(Date.now() + (hasEnded ? -3_600_000 : 3_600_000)),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ed25519,
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  })
  const key = x509.PemConverter.encode(
    await webcrypto.subtle.exportKey('pkcs8', keys.privateKey),
    'ED25519 PRIVATE KEY',
  )
  return { crt: base64(certificate.toString('pem')), key: base64(key) }
}

const asReader = editTalosconfig(async (context) => void Object.assign(context, await certificateOf('os:reader')))

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The talosconfig of some other cluster, with the endpoints of this one. */
function strangersTalosconfig(folder: string): void {
  const own = parse(readFileSync(join(folder, 'talosconfig'), 'utf8')) as Talosconfig
  const made = join(mkdtempSync(join(scratch, 'stranger-')), 'talosconfig')
  execFileSync(lab.tools.talosctl, ['gen', 'config', 'c', 'https://10.0.0.1:6443', '-t', 'talosconfig', '-o', made], {
    env: { HOME: dirname(made) },
    stdio: 'ignore',
  })
  const strange = parse(readFileSync(made, 'utf8')) as Talosconfig
  const endpoints = own.contexts[own.context]?.endpoints ?? []
  for (const context of Object.values(strange.contexts)) context.endpoints = endpoints
  writeFileSync(join(folder, 'talosconfig'), stringify(strange))
}

/** A talosctl that says it is another version, and is the real one otherwise. */
function talosctlThatSays(version: string): string {
  const path = join(mkdtempSync(join(scratch, 'tool-')), 'talosctl')
  const lines = [
    '#!/bin/sh',
    `case "$*" in "version --client"*) echo 'Client:'; echo '	Tag: ${version}'; exit 0;; esac`,
    `exec '${lab.tools.talosctl}' "$@"`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  chmodSync(path, 0o755)
  return path
}

/** Without what the machine of this test has. */
const noTalosctl = () => ({
  TALOSCTL: '',
  TALOSCTL_1_14: '',
  PATH: dirname(process.execPath),
  MISE_DATA_DIR: scratch,
  XDG_CACHE_HOME: join(scratch, 'no-cache'),
})

const vipOf = (folder: string): string =>
  String((parse(readFileSync(join(folder, 'talenv.yaml'), 'utf8')) as Talenv).cluster.vip)

const forgetControlPlane = edit(({ nodes }) => {
  for (const node of nodes) if (node.hostname === 'k8s-3') node.controlPlane = false
})

const cases: Case[] = [
  {
    name: 'an unknown cluster',
    cluster: '9',
    code: 65,
    says: [/does not declare cluster-9; it declares cluster-\d+/],
  },
  {
    name: 'an unknown flag, and a value that is no version, in one go',
    quick: true,
    flags: ['--dryrun', '--to', 'newest'],
    code: 64,
    says: [/--dryrun is not a flag of upgrade \(did you mean --dry-run\?\)/, /--to takes a version .* not newest/],
  },
  {
    name: 'a node that is not declared',
    flags: ['--nodes', 'k8s-1,k8s-9'],
    code: 65,
    says: [/declares no node k8s-9 \(did you mean k8s-\d\?\)/],
  },
  {
    name: 'a talenv.yaml with a tab',
    spoil: rewrite((text) => text.replace('  name:', '\tname:')),
    code: 65,
    says: [/talenv\.yaml:2:1: .*tab.* \(use spaces\)/i],
  },
  {
    name: 'a talenv.yaml with a duplicate key',
    spoil: rewrite((text) => text.replace(/( {2}name: .*\n)/, '$1$1')),
    code: 65,
    says: [/talenv\.yaml:3:3: the key name is there twice \(only one of the two can be meant\)/],
  },
  {
    name: 'a node without an address',
    spoil: edit(({ nodes }) => delete nodes[1]?.ipAddress),
    code: 65,
    says: [/talenv\.yaml:\d+:\d+: .*ipAddress/],
  },
  {
    name: 'two nodes with one address',
    spoil: edit(({ nodes }) => {
      const [first, second] = nodes
      if (first?.ipAddress && second) second.ipAddress = first.ipAddress
    }),
    code: 65,
    says: [/talenv\.yaml:\d+:\d+: two nodes have the address 127\.\S+ \(the other one is on line \d+\)/],
  },
  {
    name: 'two addresses that were mixed up',
    quick: true,
    spoil: edit(({ nodes: [first, second] }) => {
      if (first === undefined || second === undefined) return
      ;[first.ipAddress, second.ipAddress] = [second.ipAddress ?? '', first.ipAddress ?? '']
    }),
    code: 77,
    says: [/k8s-[12]: 127\.\S+ answers as k8s-[12], which is declared elsewhere \(talosctl .*get hostnamestatus/],
    lines: 2,
  },
  {
    name: 'a control plane that is declared as a worker',
    quick: true,
    spoil: forgetControlPlane,
    flags: ['--nodes', 'k8s-3', '--accept-etcd-outage'],
    code: 77,
    says: [/k8s-3: is declared as a worker, and the machine is a control plane/],
  },
  {
    name: 'a control plane that is declared as a worker, on the way of another node',
    spoil: forgetControlPlane,
    flags: ['--nodes', 'k8s-1', '--accept-etcd-outage'],
    code: 77,
    says: [/k8s-3: is declared as a worker, and the machine is a control plane/],
  },
  {
    name: 'a mistake in talenv.yaml and one in operations.yaml, in one go',
    quick: true,
    spoil(folder) {
      edit(({ nodes }) => delete nodes[1]?.ipAddress)(folder)
      writeFileSync(join(folder, 'operations.yaml'), 'deadlines:\n  pull: soon\n')
    },
    code: 65,
    says: [/talenv\.yaml:\d+:\d+: .*ipAddress/, /operations\.yaml:2:9: /],
  },
  {
    name: 'a target older than what runs',
    flags: ['--to', 'v1.12.1'],
    code: 77,
    says: [/k8s-[123]: v1\.12\.1 is older than v1\.12\.6, which runs/],
    lines: 3,
  },
  {
    name: 'a target two minor releases ahead',
    quick: true,
    flags: ['--to', 'v1.14.0'],
    env: () => ({ TALOSCTL_1_14: '', TALOSCTL: talosctlThatSays('v1.14.0') }),
    code: 77,
    says: [
      /k8s-[123]: v1\.12\.6 to v1\.14\.0 skips a minor release: first comes (v1\.13\.\d+) \(.*upgrade\.ts .*--to \1\)/,
    ],
    lines: 3,
  },
  {
    name: 'a target that the table does not know, newer than talosctl as well',
    flags: ['--to', 'v1.20.0'],
    code: 77,
    says: [
      /Talos v1\.20\.0 is not in the compatibility table of \S+ \(known: 1\.10, /,
      /talosctl is 1\.\d+\.\d+; an upgrade to v1\.20\.0/,
    ],
  },
  {
    name: 'a target that the table does not know any more',
    flags: ['--to', 'v1.5.0'],
    code: 77,
    says: [/Talos v1\.5\.0 is not in the compatibility table/],
  },
  {
    name: "a Kubernetes version above the target's range",
    spoil: edit(({ cluster }) => {
      cluster.kubernetesVersion = 'v1.37.0'
    }),
    code: 77,
    says: [
      /Talos v1\.13\.9 supports Kubernetes 1\.31 to 1\.36, the declaration says v1\.37\.0 \(.*upgrade\.ts .*--to v1\.14\.\d+ # or keep Kubernetes at 1\.36\)/,
    ],
  },
  {
    name: "a Kubernetes version below the target's range",
    spoil: edit(({ cluster }) => {
      cluster.kubernetesVersion = 'v1.30.4'
    }),
    code: 77,
    says: [/supports Kubernetes 1\.31 to 1\.36, the declaration says v1\.30\.4 \(talosctl .*upgrade-k8s --to 1\.31\.0/],
  },
  {
    name: 'no talosconfig',
    alsoStatus: true,
    spoil: (folder) => rmSync(join(folder, 'talosconfig')),
    code: 69,
    says: [/there is no \S+\/talosconfig \(node --import tsx workflows\/gen-config\.ts --cluster \d+( --dir \S+)?\)/],
  },
  {
    name: 'an expired client certificate',
    quick: true,
    alsoStatus: true,
    spoil: editTalosconfig(
      async (context) => void Object.assign(context, await certificateOf('os:admin', { hasEnded: true })),
    ),
    code: 69,
    says: [
      /the client certificate in context "\S+" of \S+ ended on 20\d\d-\d\d-\d\d \(node --import tsx workflows\/gen-config\.ts --cluster \d+ --dir \S+ --renew-talosconfig\)/,
    ],
  },
  {
    name: 'the role of a reader',
    quick: true,
    spoil: asReader,
    code: 69,
    says: [/talosconfig has the role os:reader, and an upgrade needs os:admin \(talosctl .*config contexts/],
  },
  {
    name: 'the role of a reader, in a dry run, which has to read what only an administrator may read below 1.14',
    spoil: asReader,
    flags: ['--dry-run'],
    code: 69,
    says: [/talosconfig has the role os:reader, and what was asked needs os:admin/],
  },
  {
    name: 'the role of a reader, for status',
    entry: 'status',
    spoil: asReader,
    code: 69,
    says: [/talosconfig has the role os:reader, and what was asked needs os:admin/],
  },
  {
    name: 'a kubeconfig that was never filled',
    quick: true,
    spoil: (folder) => writeFileSync(join(folder, 'kubeconfig'), ''),
    code: 69,
    says: [/kubeconfig is no kubeconfig \(mv \S+kubeconfig \S+kubeconfig\.old\)/],
  },
  {
    name: 'a kubeconfig whose context is gone, for a forecast of drains',
    entry: 'status',
    flags: ['--drain'],
    spoil: (folder) => writeFileSync(join(folder, 'kubeconfig'), 'current-context: gone\n'),
    code: 69,
    says: [/Kubernetes: \S+kubeconfig has no context "gone"/],
  },
  {
    name: 'a variable that names no talosctl',
    env: () => ({ TALOSCTL_1_13: '/nonexistent' }),
    code: 69,
    says: [/TALOSCTL_1_13 names \/nonexistent, which is no program that can be run \(unset TALOSCTL_1_13\)/],
  },
  {
    name: 'the certificate authority of another cluster',
    quick: true,
    alsoStatus: true,
    spoil: strangersTalosconfig,
    code: 69,
    says: [
      /k8s-[123]: its certificate is not signed by the cluster's CA \(talosctl .*config info # is this talosconfig the cluster's\?/,
    ],
    lines: 3,
  },
  {
    name: 'the virtual IP as an endpoint',
    alsoStatus: true,
    spoil: (folder) =>
      editTalosconfig((context) => {
        context.endpoints = [vipOf(folder)]
      })(folder),
    code: 69,
    says: [
      /uses the virtual IP 127\.\S+ as an endpoint \(talosctl --talosconfig \S+ config endpoint 127\.\S+ 127\.\S+ 127\.\S+\)/,
    ],
  },
  {
    name: 'no talosctl',
    alsoStatus: true,
    env: () => ({ ...noTalosctl(), TALOSCTL_1_13: '' }),
    code: 69,
    says: [/talosctl-1\.13 is not on PATH and not built \(mise install talosctl@1\.13\./],
  },
  {
    name: 'a talosctl that can not install without a reboot',
    env: () => ({ ...noTalosctl(), TALOSCTL_1_13: '', TALOSCTL: talosctlThatSays('v1.13.6') }),
    code: 69,
    says: [/talosctl-1\.13 does not fit: \S+ is 1\.13\.6; >=1\.13\.7 \S+ is needed \(unset TALOSCTL\)/],
  },
  {
    name: 'a talosctl older than the target',
    quick: true,
    flags: ['--to', 'v1.14.0'],
    env: () => ({ ...noTalosctl(), TALOSCTL_1_13: lab.tools.talosctl }),
    code: 69,
    says: [/talosctl-1\.14 is not on PATH and not built \(mise install talosctl@1\.14\.\d+\)/],
  },
]

/** Calls that only read. */
const reading =
  /\/(Version|Read|Logs|Dmesg|Get|List|Watch|ServiceList|EtcdMemberList|EtcdStatus|EtcdAlarmList|ImageList|Kubeconfig)$/

const all = cases
  .filter(({ quick }) => inFull || quick)
  .flatMap((one): Case[] =>
    one.alsoStatus ? [one, { ...one, name: `${one.name}, for status`, entry: 'status' }] : [one],
  )

for (const { name, spoil, flags = [], cluster, entry = 'upgrade', env, code, says, lines = says.length } of all) {
  test(`${name}: ${code}, said in a line, and nothing is changed`, async () => {
    const dir = mkdtempSync(join(scratch, 'case-'))
    const folder = join(dir, 'clusters', `cluster-${lab.cluster}`)
    mkdirSync(folder, { recursive: true })
    for (const file of ['talenv.yaml', 'operations.yaml', 'talosconfig'])
      cpSync(join(lab.clusterDir, file), join(folder, file))
    await spoil?.(folder)
    const from = lab.log().length
    const run = startEntry(
      { dir, cluster: cluster ?? lab.cluster },
      { entry, flags, env: { ...process.env, ...env?.() } },
    )
    const ended = await run.closed
    const output = `${ended.stderr}${ended.stdout}`

    assert.is(ended.code, code, output)
    for (const sentence of says) assert.match(output, sentence)
    assert.not.match(output, /\n\s+at /, 'no stack trace')
    const told = output.split('\n').filter((line) => says.some((sentence) => sentence.test(line)))
    assert.is(told.length, lines, output)

    const changes = lab
      .log()
      .slice(from)
      .filter((event) => (event.type === 'rpc' ? !reading.test(event.method) : event.type !== 'etcd.gap'))
    assert.equal(changes, [])
    const left = existsSync(join(folder, '.run')) ? readdirSync(join(folder, '.run'), { recursive: true }) : []
    assert.not.ok(
      left.some((file) => String(file).endsWith('journal.ndjson')),
      'no journal was begun',
    )
  })
}

test('none of it kept the next run from its work, which is still all to be done', async () => {
  const ended = await startEntry(lab, { flags: ['--dry-run', '--output', 'json'] }).closed
  assert.is(ended.code, 2, ended.stderr)
  const { plan } = JSON.parse(ended.stdout) as { plan: { nodes: { node: string; work: string }[] } }
  assert.equal(plan.nodes.map(({ node, work }) => `${work} ${node}`).sort(), [
    'upgrade k8s-1',
    'upgrade k8s-2',
    'upgrade k8s-3',
  ])
})

test.run()
