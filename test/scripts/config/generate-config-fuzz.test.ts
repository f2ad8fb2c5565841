// limit: 900 s
/** talenv.yaml as it comes out of hurried hands and half-applied merges: every one is taken or told about. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRendered } from '../../../scripts/config/check-rendered.ts'
import { renderConfig } from '../../../scripts/config/render-config.ts'
import { talconfigSchema } from '../../../scripts/config/talconfig-schema.ts'
import { findLayout, packageRoot } from '../../../scripts/declaration/layout.ts'
import { createRun } from '../../../scripts/run.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import { parseTalenv } from '../../../workflows/model/declaration/parse-talenv.ts'
import { inFull } from '../../support/in-full.ts'
import { secretsWorld } from '../../support/secrets-world.ts'

const [checked, generated] = inFull ? [10_000, 100] : [1000, 16]

const example = `cluster:
  name: cluster-7
  id: 7
  endpoint: https://10.0.0.10:6443
  vip: 10.0.0.10
  gateway: 10.0.0.1
  talosVersion: v1.13.9
  kubernetesVersion: v1.36.1
  nodeCidrs: [10.0.0.0/24]
  podCidrs: [10.42.0.0/16, "fd00:42::/56"]
  serviceCidrs: [10.43.0.0/16, "fd00:43::/112"]
  nameservers: [1.1.1.1]
  timeServers: [162.159.200.1]
  allowSchedulingOnControlPlanes: true
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
    diskSelector: { model: "APPLE*", size: ">= 100GB" }
    extensions: [siderolabs/iscsi-tools]
    interfaces:
      - mac: "aa:bb:cc:dd:ee:01"
        addresses: [10.0.0.11/24]
        routes: [{ network: 0.0.0.0/0, gateway: 10.0.0.1 }]
        mtu: 1500
    labels: { rack: r1 }
  - hostname: worker-1
    ipAddress: [10.0.0.21, "fd00::21"]
    disk: /dev/sda
    encryption: nodeID
    taints: { dedicated: "db:NoSchedule" }
    ingressFirewall: { rules: [{ name: apid, ports: [50000], subnets: [10.0.0.0/24] }] }
`

const lines = example.split('\n')
const word = fc.constantFrom(
  ...['null', '~', '[]', '{}', '""', 'yes', '012', '1.30', '-', '&a x', '*a', '!!binary x', '|', '>-', '{{ x }}', '$x'],
  ...['$', '\t', '#', ': ', "'", '"', '\u0000', '\u{1f4a5}', 'global', '10.0.0.11', '::', '10.0.0.0/33', '1e999', '<<'],
)
const place = fc.nat(lines.length - 1)

/** One slip: a line lost, doubled, moved, indented, cut, given another value or a stray word. */
const slip: fc.Arbitrary<(text: string[]) => string[]> = fc.oneof(
  place.map((at) => (text: string[]) => text.filter((_, index) => index !== at)),
  place.map((at) => (text: string[]) => text.flatMap((line, index) => (index === at ? [line, line] : [line]))),
  fc.tuple(place, place).map(([from, to]) => (text: string[]) => {
    const rest = text.filter((_, index) => index !== from)
    return [...rest.slice(0, to), text[from] ?? '', ...rest.slice(to)]
  }),
  fc.tuple(place, fc.constantFrom('  ', '\t', ' ')).map(
    ([at, indent]) =>
      (text: string[]) =>
        text.map((line, index) => (index === at ? indent + line : line)),
  ),
  fc.tuple(place, fc.nat(40)).map(
    ([at, length]) =>
      (text: string[]) =>
        text.map((line, index) => (index === at ? line.slice(0, length) : line)),
  ),
  fc.tuple(place, word).map(
    ([at, value]) =>
      (text: string[]) =>
        text.map((line, index) => (index === at ? line.replace(/: .*$/, `: ${value}`) : line)),
  ),
  fc.tuple(place, fc.nat(40), word).map(
    ([at, column, value]) =>
      (text: string[]) =>
        text.map((line, index) => (index === at ? line.slice(0, column) + value + line.slice(column) : line)),
  ),
)

const damaged = fc
  .array(slip, { minLength: 1, maxLength: 3 })
  .map((slips) => slips.reduce((text, apply) => apply(text), lines).join('\n'))

const told = (problems: readonly { line: number; col: number; message: string }[]) => {
  assert.ok(problems.length > 0)
  for (const { line, col, message } of problems) {
    assert.ok(line >= 1 && col >= 1 && message !== '')
    assert.not.match(message, /undefined|\[object|TypeError|node_modules/)
  }
}

test(`takes or tells of ${checked} damaged files, up to talhelper`, async () => {
  const talhelper = await resolveTool('talhelper')
  assert.ok(talhelper.found)
  const run = createRun({ paths: { talhelper: talhelper.path }, env: process.env })
  const schema = talconfigSchema(run)
  const layout = findLayout(packageRoot, 'cluster-101')
  if (layout === undefined) return assert.unreachable('the example is gone')
  const known = new Map<string, string>()
  let rendered = 0
  await fc.assert(
    fc.asyncProperty(damaged, async (text) => {
      const parsed = parseTalenv({ talenv: { path: 'clusters/cluster-7/talenv.yaml', text } })
      if (!parsed.ok) return told(parsed.problems)
      // what a comment or a quote changed renders to the same
      const { cluster, talenv } = parsed.value
      const key = JSON.stringify(talenv)
      if (known.has(key)) return
      known.set(key, text)
      const config = await renderConfig({ layout, cluster, declared: { kind: 'talenv', talenv }, run })
      if (!config.ok) return told(config.problems)
      rendered += 1
      const looked = await checkRendered(config.value, { layout, cluster, schema })
      if (!looked.ok) return assert.unreachable(JSON.stringify(looked.failure))
      if (looked.value.length > 0) told(looked.value)
    }),
    { numRuns: checked },
  )
  assert.ok(rendered > checked / 100, `only ${rendered} of them came as far as talhelper`)
})

test(`ends ${generated} times with 0, 2, 65, 69 or 77, and with one whole set of files`, async () => {
  const world = await secretsWorld()
  try {
    const folder = join(world.dir, 'clusters/cluster-7')
    world.write('clusters/cluster-7/talenv.yaml', example)
    assert.is(world.init().code, 0)
    const gen = (...flags: string[]) => {
      const argv = ['--import', 'tsx', 'workflows/gen-config.ts', '--cluster', '7', '--dir', world.dir, ...flags]
      return spawnSync(process.execPath, argv, { cwd: packageRoot, env: world.env, encoding: 'utf8' })
    }
    const first = gen()
    assert.is(first.status, 0, first.stderr)
    const set = () =>
      Object.fromEntries(
        readdirSync(folder)
          .filter((name) => /^cluster-7-|^talosconfig$|rendered\.yaml$/.test(name))
          .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
      )
    const codes = new Set<number | null>()
    for (const [index, text] of fc.sample(damaged, { numRuns: generated, seed: 7 }).entries()) {
      const before = set()
      writeFileSync(join(folder, 'talenv.yaml'), text)
      const dry = index % 2 === 0
      const { status, stdout, stderr } = gen(...(dry ? ['--dry-run'] : []))
      const said = stdout + stderr
      assert.ok([0, 2, 65, 69, 77].includes(status ?? -1), `${status}: ${said}\n${text}`)
      assert.not.match(said, /^\s+at .*\.ts:\d+|node:internal|TypeError|\[object/m)
      if (dry || status !== 0) assert.equal(set(), before)
      assert.not.ok(readdirSync(join(folder, '.run')).some((name) => /^staging|^placing/.test(name)))
      codes.add(status)
    }
    assert.ok(codes.has(65) && (codes.has(0) || codes.has(2)), [...codes].join())
  } finally {
    world.remove()
  }
})

test.run()
