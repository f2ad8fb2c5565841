/** What a lint proposes to paste is pasted, and given to the real talhelper. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createRun, type Run } from '../../../../scripts/run.ts'
import { resolveTool } from '../../../../scripts/toolchain/resolve-tool.ts'
import { isDone } from '../../../../scripts/tools/ended.ts'
import { talhelperCommands } from '../../../../scripts/tools/talhelper.ts'
import { readYaml } from '../../../../workflows/model/declaration/yaml-source.ts'
import { CONFIGURED_SERVICES } from '../../../../workflows/plan/lint/configured-services.ts'
import { lint } from '../../../../workflows/plan/lint/lint.ts'

const test = suite<{ folder: string; run: Run }>('rewrites')

test.before(async (context) => {
  const talhelper = await resolveTool('talhelper')
  assert.ok(talhelper.found)
  context.folder = mkdtempSync(join(tmpdir(), 'rewrites-'))
  context.run = createRun({ paths: { talhelper: talhelper.path }, env: process.env })
  const secrets = await context.run(talhelperCommands.genSecret())
  writeFileSync(join(context.folder, 'secret.yaml'), secrets.stdout, { mode: 0o600 })
  writeFileSync(join(context.folder, 'env'), '')
})
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const talconfig = (more: string): string => `clusterName: cluster-7
talosVersion: v1.13.9
kubernetesVersion: v1.36.1
endpoint: https://10.0.0.10:6443
allowSchedulingOnControlPlanes: true
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
    installDisk: /dev/sda
${more}
`

const patch = (flow: string): string => `    patches:\n      - |-\n        ${flow}`
const lints = (text: string) => lint({ talconfig: readYaml({ path: 't.yaml', text }), patches: [] })

/** What is wrong, and how the hint is pasted. */
const ROWS: [behaviour: string, wrong: string, paste: (hint: string) => string][] = [
  [
    'extensions of machine.install',
    patch('machine: {install: {extensions: [{image: a/siderolabs/iscsi-tools:v1}]}}'),
    (hint) => `    ${hint}`,
  ],
  [
    'kernel arguments of machine.install',
    patch('machine: {install: {extraKernelArgs: [net.ifnames=0]}}'),
    (hint) => `    ${hint}`,
  ],
  [
    'machine.disks',
    patch(
      `machine: {disks: [${['/dev/sdb', '/dev/disk/by-id/usb-T5*', '/dev/disk/by-id/usb-1']
        .map((device, at) => `{device: "${device}", partitions: [{mountpoint: /var/mnt/v${at}}]}`)
        .join(', ')}]}`,
    ),
    (hint) => `    ${hint}`,
  ],
  [
    'a JSON patch',
    patch(
      '[{op: add, path: /machine/sysctls, value: {a.b: "1"}}, {op: remove, path: /cluster/apiServer/admissionControl}]',
    ),
    patch,
  ],
  [
    'an installer that is an address',
    `    talosImageURL: https://factory.talos.dev/image/${'ab'.repeat(32)}/v1.13.9/metal-amd64.iso`,
    (hint) => `    ${hint}`,
  ],
  ...[...CONFIGURED_SERVICES.keys()]
    // of the others talhelper's list of extensions for this release may not know
    .filter((name) => ['lldpd', 'tailscale', 'cloudflared', 'nut-client', 'nebula', 'zerotier'].includes(name))
    .map((name): [string, string, (hint: string) => string] => {
      const schematic = `    schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/${name}]}}}`
      return [`${name} without its configuration`, schematic, (hint) => `${schematic}\n    ${hint}`]
    }),
]

for (const [behaviour, wrong, paste] of ROWS)
  test(`what is proposed for ${behaviour} is taken by talhelper, and leaves nothing to say`, async ({
    folder,
    run,
  }) => {
    const [problem, ...more] = lints(talconfig(wrong))
    assert.equal(more, [])
    assert.ok(problem?.hint)
    const text = talconfig(paste(problem?.hint ?? ''))
    assert.equal(lints(text), [])
    const configFile = join(folder, 'talconfig.yaml')
    writeFileSync(configFile, text)
    const at = { secretFile: join(folder, 'secret.yaml'), envFile: join(folder, 'env'), outDir: join(folder, 'out') }
    const answer = await run(talhelperCommands.genConfig({ configFile, ...at }))
    assert.ok(isDone(answer), `${text}${answer.stderr}`)
  })

test.run()
