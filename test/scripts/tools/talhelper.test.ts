import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command } from '../../../scripts/run.ts'
import { talhelperCommands as c, talhelperProblems } from '../../../scripts/tools/talhelper.ts'

const test = suite('talhelper')

const of = {
  configFile: '/c/talconfig.rendered.yaml',
  secretFile: '/c/talsecret.sops.yaml',
  envFile: '/t/none',
  outDir: '/t/o',
}
const line =
  'talhelper genconfig --config-file /c/talconfig.rendered.yaml --secret-file /c/talsecret.sops.yaml --env-file /t/none --out-dir /t/o'

const rows: [what: string, command: Command, is: string, mutates?: true][] = [
  ['generates without the network', c.genConfig(of), `${line} --talos-mode metal --offline-mode --no-gitignore`, true],
  [
    'names mode, life of the certificate and no nodes when told to',
    c.genConfig({ ...of, mode: 'cloud', certificateTtl: '720h', withoutNodes: true }),
    `${line} --talos-mode cloud --offline-mode --no-gitignore --crt-ttl 720h --disable-nodes-section`,
    true,
  ],
  ['makes new secrets', c.genSecret(), 'talhelper gensecret'],
  [
    'takes secrets out of a machine configuration',
    c.genSecretFrom('/c/cp.yaml'),
    'talhelper gensecret --from-configfile /c/cp.yaml',
  ],
  ['writes its schema', c.genSchema('/t/s.json'), 'talhelper genschema --file /t/s.json', true],
]

for (const [what, { tool, argv, mutates }, is, changes] of rows)
  test(what, () => {
    assert.is([tool, ...argv].join(' '), is)
    assert.is(mutates, changes ?? false)
  })

test('quotes a path that its lists would split', () => {
  const { argv } = c.genConfig({ ...of, secretFile: '/a,b/"s".yaml', outDir: '/a,b' })
  assert.ok(argv.includes('"/a,b/""s"".yaml"'))
  assert.ok(argv.includes('/a,b'))
})

const report = `There are issues with your Talhelper config file:
field: "nodes[10].hostname"
  * "K8S" is not a valid hostname
field: "talosVersion"
  * WARNING: "v1.99.0" might not be compatible with this Talhelper version you're using
field: "nodes[2].networkInterfaces"
  * interface has both bridge and bond section set "eth0"
  * 2 errors:
one and two
`

test('reads the report by field, errors first, numbers as numbers', () => {
  const stderr = '2026/11/21 03:29:35 failed to parse config file: please fix issues with your config file\n'
  assert.equal(talhelperProblems(report, stderr), [
    {
      field: 'nodes[2].networkInterfaces',
      message: 'interface has both bridge and bond section set "eth0"',
      warning: false,
    },
    { field: 'nodes[2].networkInterfaces', message: '2 errors:\none and two', warning: false },
    { field: 'nodes[10].hostname', message: '"K8S" is not a valid hostname', warning: false },
    {
      field: 'talosVersion',
      message: `"v1.99.0" might not be compatible with this Talhelper version you're using`,
      warning: true,
    },
  ])
})

test('reads the same report from any order', () => {
  const [head = '', ...groups] = report.split(/(?=^field)/m)
  const shuffled = [head, ...groups.reverse()].join('')
  assert.equal(talhelperProblems(shuffled, ''), talhelperProblems(report, ''))
})

test('takes what stands on stderr without time and place', () => {
  const stderr = '2026/11/21 03:29:35 failed to parse config file: failed to substitute env: variable $X not set\n'
  assert.equal(talhelperProblems('', stderr), [{ message: 'variable $X not set', warning: false }])
})

test("lists what Talos' validation found one by one", () => {
  const stderr =
    '2026/11/21 03:29:35 failed to generate talos config: 2 errors occurred:\n\t* install disk missing\n\t* bad CIDR\n\n'
  assert.equal(talhelperProblems('', stderr), [
    { message: 'install disk missing', warning: false },
    { message: 'bad CIDR', warning: false },
  ])
})

test('unfolds lists within lists, and keeps the kind of a document that is named', () => {
  const stderr =
    '2026/11/21 03:34:22 failed to generate talos config: 3 errors occurred:\n\t* v1alpha1.Config: 1 error occurred:\n' +
    '\t* warning: .machine.install.extensions is deprecated\n\n\n\t* LinkConfig: 2 errors occurred:\n\t* name is required\n' +
    '\t* bad mtu\n\n\n\t* conflicting documents\n\n'
  assert.equal(
    talhelperProblems('', stderr).map(({ message }) => message),
    [
      '.machine.install.extensions is deprecated',
      'LinkConfig: name is required',
      'LinkConfig: bad mtu',
      'conflicting documents',
    ],
  )
})

test('tells a crash in one line', () => {
  const stderr =
    'panic: runtime error: invalid memory address\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\nmain.main()\n'
  assert.equal(talhelperProblems('', stderr), [
    { message: 'talhelper crashed: runtime error: invalid memory address', warning: false },
  ])
})

test('says nothing of a run that went well', () => {
  assert.equal(
    talhelperProblems('generated config for k8s-1 in /t/o/x.yaml\ngenerated client config in /t/o\n', ''),
    [],
  )
})

test('warns that the secrets were not found', () => {
  assert.equal(talhelperProblems('WARNING: secrets file is not found, new ones\n', ''), [
    { message: 'secrets file is not found, new ones', warning: true },
  ])
})

test.run()
