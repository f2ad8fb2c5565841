// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of talhelper
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inContract } from '../../../scripts/config/in-contract.ts'
import type { Cluster } from '../../../workflows/model/cluster.ts'

const of = (contract: string, talosVersion: string, kubernetesVersion = 'v1.36.1') =>
  inContract(contract, { talosVersion, kubernetesVersion } as Cluster)

const given = (text: string, folder = '/r/talos') => of('v1.13', 'v1.14.1', 'v1.37.0')?.talconfig(text, folder)

test('leaves talhelper alone where the release has the form that is wanted', () => {
  assert.is(of('v1.13', 'v1.13.9'), undefined)
  assert.is(of('v1.12', 'v1.12.0-rc.1'), undefined)
})

test('puts versions in where others stand, and leaves every other byte', () => {
  const text = (talos: string, kubernetes: string) =>
    `# one\nclusterName: x # two\ntalosVersion: ${talos} # three\nkubernetesVersion: ${kubernetes}\nmode: 0644\n`
  assert.is(given(text('"v1.14.1"', '${k}')), text('v1.13.0-stand-in', 'v1.36.0-stand-in'))
  assert.is(given(text('&v v1.14.1', "'v1.37.0'")), text('&v v1.13.0-stand-in', 'v1.36.0-stand-in'))
})

test('names Kubernetes otherwise only where the contract does not know it', () => {
  const text = 'talosVersion: v1.14.1\nkubernetesVersion: v1.36.1\n'
  assert.is(of('v1.13', 'v1.14.1')?.talconfig(text, '/r'), text.replace('v1.14.1', 'v1.13.0-stand-in'))
  assert.match(of('v1.12', 'v1.14.1')?.talconfig(text, '/r') ?? '', 'kubernetesVersion: v1.35.0-stand-in')
})

test('adds what is missing', () => {
  const added = 'kubernetesVersion: v1.36.0-stand-in\ntalosVersion: v1.13.0-stand-in\n'
  assert.is(given('---\nclusterName: x\n'), `---\n${added}clusterName: x\n`)
  assert.is(given('{clusterName: x}'), `{${added.replaceAll('\n', ', ')}clusterName: x}`)
  assert.is(
    given('talosVersion:\nkubernetesVersion: v1.37.0\n'),
    'talosVersion: v1.13.0-stand-in\nkubernetesVersion: v1.36.0-stand-in\n',
  )
})

test('refers to files from where talconfig.yaml lies, and to nothing that is no file', () => {
  const text = (...files: string[]) => `talosVersion: v1.13.0-stand-in
kubernetesVersion: v1.36.0-stand-in
patches: [${files[0]}]
nodes:
  - hostname: "@no-file"
    patches:
      - ${files[1]}
      - |-
        machine: {}
      - "@/absolute.yaml"
      - "@\${DIR}/a.yaml"
    machineFiles: [{content: ${files[2]}, path: /a}]
    extraManifests:
      - ${files[3]}
`
  assert.is(
    given(text('"@./a.yaml"', "'@../b.yaml'", '"@c"', 'd.yaml'), '/r/$e'),
    text('"@/r/$$e/./a.yaml"', '"@/r/$$e/../b.yaml"', '"@/r/$$e/c"', '"@/r/$$e/d.yaml"'),
  )
})

test('restores the versions in what talhelper writes and says', () => {
  const { restored } = of('v1.13', 'v1.14.1', 'v1.37.0') ?? (assert.unreachable() as never)
  assert.is(
    restored('a/installer:v1.13.0-stand-in kubelet:v1.36.0-stand-in Talos 1.13.0-stand-in b:v1.13.0'),
    'a/installer:v1.14.1 kubelet:v1.37.0 Talos 1.14.1 b:v1.13.0',
  )
})

test.run()
