import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { declaredSchematics } from '../../../scripts/schematic/declared-schematics.ts'
import { schematicOf } from '../../../scripts/schematic/schematic.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'

const talhelper = await resolveTool('talhelper')
if (!talhelper.found) throw new Error(talhelper.detail)
const { path } = talhelper
const folder = mkdtempSync(join(tmpdir(), 'schematic-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const VANILLA = '376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'

/** The id that talhelper, with image-factory's own code, gives a schematic. */
function idByTalhelper(yaml: string): string {
  const file = join(folder, 'schematic.yaml')
  writeFileSync(file, yaml)
  const url = execFileSync(path, ['genurl', 'installer', '--offline-mode', '--customization-file', file], {
    encoding: 'utf8',
    cwd: folder,
  })
  return /\/([0-9a-f]{64}):/.exec(url)?.[1] ?? url
}

const CASES: Record<string, string> = {
  'without anything': 'customization: {}',
  'with empty parts only': 'customization: {systemExtensions: {officialExtensions: []}, extraKernelArgs: [], meta: []}',
  'with extensions in the order that was declared':
    'customization: {systemExtensions: {officialExtensions: [siderolabs/iscsi-tools, siderolabs/amd-ucode]}}',
  'with fields in another order than the canonical one':
    'customization: {systemExtensions: {officialExtensions: [a/b]}, extraKernelArgs: [net.ifnames=0, -selinux]}\noverlay: {name: rpi_generic, image: siderolabs/sbc-raspberrypi}',
  'with an overlay and its options':
    'overlay: {name: rpi_generic, image: siderolabs/sbc-raspberrypi, options: {b10: 1.5, b9: [1, a, {x: 1, y: [2, [3]]}], e: {}, f: [], configTxt: "a=1\\nb=2\\n", n: null, t: true, "yes": 1, "1": 2}}',
  'with initial META contents': 'customization: {meta: [{key: 10, value: "a\\nb"}, {key: 12, value: ""}]}',
  'with secure boot and a boot loader':
    'customization: {secureboot: {includeWellKnownCertificates: true, enrollKeys: force}, bootloader: sd-boot}',
  'with a boot loader that is the default': 'customization: {bootloader: none, diskImage: {sectorSize: 4096}}',
  'with an embedded configuration':
    'customization: {embeddedMachineConfiguration: "machine:\\n  type: worker\\n\\n\\n"}',
  'with kernel arguments that YAML would read otherwise':
    'customization: {extraKernelArgs: ["yes", n, "0123", "1_000", "1e3", "0x1f", "1:30", "null", "~", "", "2020-01-01", ".5", "-0", "<<", "true", "08", "123456789012345678901234567890", "1e999", "2001-13-01"]}',
  'with kernel arguments that need quotes':
    'customization: {extraKernelArgs: ["a: b", "x #y", "it\'s", " lead", "trail ", "tab\\tx", "@at", "- a\'b", "---", "a:", "*a", "%x", "?", "? y", ":x", "é", "\\U0001F600", "\\a", "multi\\nline", "\\\\\\"", "[a", "console=ttyS0,115200"]}',
  'with kernel arguments that are no strings': 'customization: {extraKernelArgs: [1, true]}',
  'with keys that nobody knows': 'customization: {systemExtension: {officialExtensions: [a/b]}}',
  'with an owner': 'owner: somebody\ncustomization: {}',
}

for (const [name, yaml] of Object.entries(CASES)) {
  test(`gives a schematic ${name} the id that the Image Factory gives it`, () => {
    assert.is(schematicOf(parse(yaml))?.id, idByTalhelper(yaml), schematicOf(parse(yaml))?.text)
  })
}

test('knows the id of Talos without extensions', () => {
  for (const nothing of [undefined, null, {}, { customization: null }]) assert.is(schematicOf(nothing)?.id, VANILLA)
  assert.is(schematicOf({})?.text, 'customization: {}\n')
})

test('takes what has another shape for no schematic', () => {
  for (const wrong of ['text', 1, { customization: [] }, { customization: { extraKernelArgs: 'a' } }])
    assert.is(schematicOf(wrong), undefined, JSON.stringify(wrong))
})

const TALCONFIG = `
clusterName: c
talosVersion: v1.13.5
kubernetesVersion: v1.36.1
endpoint: https://10.0.0.1:6443
controlPlane:
  schematic: {customization: {extraKernelArgs: [shared]}}
nodes:
  - {hostname: a, ipAddress: 10.0.0.1, controlPlane: true, installDisk: /dev/sda}
  - {hostname: b, ipAddress: 10.0.0.2, controlPlane: true, installDisk: /dev/sda, schematic: {customization: {extraKernelArgs: [own]}}}
  - {hostname: c, ipAddress: 10.0.0.3, controlPlane: true, installDisk: /dev/sda}
  - {hostname: d, ipAddress: 10.0.0.4, installDisk: /dev/sda}
  - {hostname: e, ipAddress: 10.0.0.5, installDisk: /dev/sda, talosImageURL: my.registry/installer, imageSchematic: {customization: {extraKernelArgs: [boot]}}}
`

test('finds the distinct schematics that talhelper makes images of', () => {
  const found = declaredSchematics({ path: 'talconfig.rendered.yaml', text: TALCONFIG })
  assert.ok(found.ok)
  const args = found.value.map(({ text }) => /- (\w+)/.exec(text)?.[1] ?? 'vanilla')
  assert.equal(args, ['shared', 'own', 'vanilla', 'boot'])
  const file = join(folder, 'talconfig.yaml')
  writeFileSync(file, TALCONFIG)
  const argv = ['genurl', 'installer', '--offline-mode', '-c', file]
  const urls = execFileSync(path, argv, { encoding: 'utf8', cwd: folder })
  const byTalhelper = new Set(urls.match(/[0-9a-f]{64}/g))
  assert.equal(
    [...byTalhelper].sort(),
    found.value
      .slice(0, 3)
      .map(({ id }) => id)
      .sort(),
  )
})

test('says what is wrong with a talconfig that can not be read', () => {
  for (const text of ['{', 'nodes: 1', 'nodes: [{hostname: a, schematic: 1}]']) {
    const found = declaredSchematics({ path: 'talconfig.rendered.yaml', text })
    assert.ok(!found.ok && found.failure.reason === 'declaration-invalid', text)
    assert.match(found.failure.detail ?? '', /^talconfig\.rendered\.yaml: /)
  }
})

test.run()
