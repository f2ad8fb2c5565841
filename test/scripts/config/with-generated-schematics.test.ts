import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { withGeneratedSchematics } from '../../../scripts/config/with-generated-schematics.ts'
import { loadCluster } from '../../../scripts/declaration/load-cluster.ts'

const test = suite<{ dir: string }>('with-generated-schematics')

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'schematics-'))
  mkdirSync(join(context.dir, 'clusters/cluster-7'), { recursive: true })
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true }))

const [made, named] = ['a'.repeat(64), 'b'.repeat(64)]
const talenv = `cluster: {name: cluster-7, id: 7, endpoint: 'https://10.0.0.10:6443', talosVersion: v1.13.9, kubernetesVersion: v1.36.1}
nodes:
  - {hostname: cp-1, ipAddress: 10.0.0.11, controlPlane: true, extensions: [siderolabs/lldpd]}
  - {hostname: cp-2, ipAddress: 10.0.0.12, controlPlane: true, schematic: ${named}}
  - {hostname: cp-3, ipAddress: 10.0.0.13, controlPlane: true}
`
const config = (image: string) =>
  `machine:\n  kubelet:\n    image: ghcr.io/x/kubelet:v1\n  install:\n    image: ${image}\n`

function schematics(dir: string, files: Record<string, string>): (string | undefined)[] {
  for (const [name, text] of Object.entries({ 'talenv.yaml': talenv, ...files }))
    writeFileSync(join(dir, 'clusters/cluster-7', name), text)
  const loaded = loadCluster(dir, '7')
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure))
  return withGeneratedSchematics(loaded.value.cluster, loaded.value.layout).nodes.map(({ schematic }) => schematic)
}

test('takes what the generated configuration installs from, unless the declaration names another one', ({ dir }) => {
  const found = schematics(dir, {
    talosconfig: 'context: cluster-7',
    'cluster-7-cp-1.yaml': config(`factory.example/metal-installer-secureboot/${made}:v1.13.9`),
    'cluster-7-cp-2.yaml': config(`factory.example/installer/${made}:v1.13.9`),
    'cluster-7-cp-3.yaml': config('registry.example/installer:v1.13.9'),
  })
  assert.equal(found, [made, named, undefined])
})

test('knows only what is declared where nothing was generated', ({ dir }) => {
  assert.equal(schematics(dir, { talosconfig: 'context: cluster-7' }), [undefined, named, undefined])
})

test.run()
