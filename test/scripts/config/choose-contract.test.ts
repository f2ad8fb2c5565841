import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseContract, contractWarnings } from '../../../scripts/config/choose-contract.ts'
import type { RenderedConfig } from '../../../scripts/config/render-config.ts'
import { findLayout, type Layout } from '../../../scripts/declaration/layout.ts'
import type { Cluster } from '../../../workflows/model/cluster.ts'
import { problemText } from '../../../workflows/model/problem.ts'

const test = suite<{ folder: string; layout: Layout }>('choose-contract')

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'contract-'))
  writeFileSync(join(context.folder, 'talconfig.yaml'), '')
  context.layout = findLayout(context.folder, 'home') ?? (assert.unreachable() as never)
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true }))

const clusterOf = (talosVersion: string, talosContract?: string) =>
  ({ name: 'home', talosVersion, talosContract, nodes: [{ name: 'a' }, { name: 'b' }] }) as Cluster

const placed = { v: 1, files: {}, caFingerprint: 'ca' } as const

test('takes what the last generation remembers', ({ layout }) => {
  const chosen = chooseContract({ layout, cluster: clusterOf('v1.14.1') }, { ...placed, contract: 'v1.12' })
  assert.equal(chosen, { ok: true, value: 'v1.12' })
})

test('takes the oldest release that is installed from, where an earlier version remembered none', ({ layout }) => {
  const cluster = clusterOf('v1.14.1')
  mkdirSync(join(layout.folder, 'clusterconfig'))
  writeFileSync(layout.talosconfig, '')
  for (const [node, version] of [
    ['a', 'v1.13.9'],
    ['b', 'v1.9.5'],
  ])
    writeFileSync(
      join(layout.folder, `clusterconfig/home-${node}.yaml`),
      `machine:\n  install:\n    image: factory.talos.dev/metal-installer-secureboot/ab:${version}\n`,
    )
  assert.equal(chooseContract({ layout, cluster }, placed), { ok: true, value: 'v1.9' })
  // never generated from here
  assert.equal(chooseContract({ layout, cluster }, undefined), { ok: true, value: 'v1.13' })
})

test('refuses a declared form that the nodes can not read', ({ layout }) => {
  const chosen = chooseContract({ layout, cluster: clusterOf('v1.12.9', 'v1.13') }, undefined)
  assert.equal(chosen.ok || chosen.failure, [
    {
      reason: 'declaration-invalid',
      detail: 'configurations in the form of v1.13 can not be read by Talos v1.12.9',
      hint: 'talosContract: v1.12, or a later talosVersion',
    },
  ])
})

test('warns of a talconfig.yaml that talhelper alone would take for 1.14, until the form is declared', ({ layout }) => {
  const rendered = {
    talconfig: { name: 'talconfig.yaml', text: 'clusterName: home\ntalosVersion: x\n' },
  } as RenderedConfig
  const said = (cluster: Cluster, kind: Layout['kind'] = 'talconfig') =>
    contractWarnings({ layout: { ...layout, kind }, cluster }, 'v1.13', rendered).map((one) => problemText(one))
  assert.match(
    said(clusterOf('v1.14.1')).join(),
    /talconfig\.yaml:2:15: warning: talhelper alone .* v1\.14, .* v1\.13 \(generate: /,
  )
  assert.equal(said(clusterOf('v1.14.1', 'v1.13')), [])
  assert.equal(said(clusterOf('v1.13.9')), [])
  assert.equal(said(clusterOf('v1.14.1'), 'talenv'), [])
})

test.run()
