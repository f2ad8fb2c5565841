// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of talhelper
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkTalconfig } from '../../../scripts/config/check-talconfig.ts'
import { talconfigSchema } from '../../../scripts/config/talconfig-schema.ts'
import { createRun } from '../../../scripts/run.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import { readYaml } from '../../../workflows/model/declaration/yaml-source.ts'
import { problemText } from '../../../workflows/model/problem.ts'
import { commandResult } from '../../support/command-result.ts'

const talhelper = await resolveTool('talhelper')
assert.ok(talhelper.found)
const read = await talconfigSchema(createRun({ paths: { talhelper: talhelper.path }, env: process.env }))
assert.ok(read.ok)
const schema = read.value

const said = async (text: string): Promise<string[]> =>
  (await checkTalconfig(readYaml({ path: 't.yaml', text }), schema)).map(problemText)

const good = `clusterName: cluster-7
talosVersion: \${talosVersion}
kubernetesVersion: v1.36.1
endpoint: https://10.0.0.10:6443
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
    installDisk: /dev/sda
`

test('has nothing to say of what talhelper takes, also where its schema is wrong', async () => {
  assert.equal(
    await said(`${good}    schematic:
      customization:
        bootloader: sd-boot
        meta: [{key: 10, value: a}]
    volumes:
      - name: STATE
        encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}
    userVolumes:
      - name: data
        volumeType: directory
    machineDisks:
      - device: /dev/sdb
        partitions: [{size: 100GB, mountpoint: /var/mnt/a}]
    networkInterfaces:
      - interface: eth0
        mtu: \${mtu}
        dhcp: \${dhcp}
worker:
`),
    [],
  )
})

test('tells of every key that talhelper would pass over, with what is meant', async () => {
  const text = `${good}    networkInterface: []
    extensions: [lldpd]
    whatever: 1
    installDiskSelectr: {}
allowSchedulingOnControlPlane: true
`
  assert.equal(await said(text), [
    't.yaml:10:5: nodes[0].networkInterface is not a key that talhelper knows (did you mean networkInterfaces?)',
    't.yaml:11:5: nodes[0].extensions is not a key that talhelper knows (schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/<name>]}}})',
    't.yaml:12:5: nodes[0].whatever is not a key that talhelper knows (talhelper would pass over it)',
    't.yaml:13:5: nodes[0].installDiskSelectr is not a key that talhelper knows (did you mean installDiskSelector?)',
    't.yaml:14:1: allowSchedulingOnControlPlane is not a key that talhelper knows (did you mean allowSchedulingOnControlPlanes?)',
  ])
})

test('tells what is missing and what is of another type', async () => {
  assert.equal(
    await said(`clusterName: 7
endpoint: https://10.0.0.10:6443
nodes:
  - hostname: cp-1
    controlPlane: yes
    installDisk: /dev/sda
    nodeLabels: [a]
    userVolumes:
      - filesystem: {type: btrfs}
`),
    [
      't.yaml:1:1: kubernetesVersion is missing',
      't.yaml:1:14: clusterName should be text, not 7 (put it in quotes: YAML reads 7 as a number)',
      't.yaml:4:5: nodes[0].ipAddress is missing',
      't.yaml:5:19: nodes[0].controlPlane should be true or false, not "yes" (write true or false without quotes; only YAML 1.1 took yes and on for booleans)',
      't.yaml:7:17: nodes[0].nodeLabels should be a map, not a list',
      't.yaml:9:28: nodes[0].userVolumes[0].filesystem.type should be one of ext4, xfs, not "btrfs"',
    ],
  )
})

test('wants one way to the disk of a node, and only one', async () => {
  const without = good.replace('    installDisk: /dev/sda\n', '')
  assert.equal(await said(without), [
    't.yaml:6:5: nodes[0] has neither installDisk nor installDiskSelector (installDisk: /dev/sda)',
  ])
  assert.equal(await said(`${good}    installDiskSelector: {size: '>= 100GB'}\n`), [
    't.yaml:10:5: nodes[0] has an installDisk and an installDiskSelector (keep one of them)',
  ])
})

test('tells of syntax alone where nothing can be read', async () => {
  assert.is((await said('a: [')).length, 1)
})

test('fails with what talhelper says when there is no schema', async () => {
  const failed = await talconfigSchema(async () => commandResult({ exitCode: 1, stderr: 'unknown command\n' }))
  assert.equal(failed, {
    ok: false,
    failure: { reason: 'command-failed', detail: 'talhelper genschema: unknown command' },
  })
})

test.run()
