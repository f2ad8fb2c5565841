import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { configObjection, withSomebodysChange } from '../../lab/machine-config.ts'

const config = (more: object = {}, image = 'ghcr.io/siderolabs/kubelet:v1.36.1') =>
  `version: v1alpha1\n${JSON.stringify({ machine: { kubelet: { image }, ...more } }).slice(1, -1)}\n`.replace(
    '"machine":',
    'machine: ',
  )
const both = { install: { extraKernelArgs: ['a=b'], grubUseUKICmdline: true } }
const document114 = `${config()}---\napiVersion: v1alpha1\nkind: KubeletConfig\n`

for (const [what, text, release, words] of [
  ['a configuration without a document', '', 'v1.14.1', undefined],
  ['a usual one', config(), 'v1.13.9', undefined],
  ['a usual one', config(), 'v1.14.1', undefined],
  ['a document of 1.14', document114, 'v1.14.0', undefined],
  ['a document of 1.14', document114, 'v1.13.9', '"KubeletConfig" "v1alpha1": not registered'],
  ['a kubelet that is too new', config({}, 'k:v1.38.0'), 'v1.14.1', 'Kubernetes 1.38.0 is too new'],
  ['a kubelet that is too old', config({}, 'k:v1.31.9'), 'v1.14.1', 'Kubernetes 1.31.9 is too old'],
  ['a kubelet by digest alone', config({}, 'k@sha256:00'), 'v1.14.1', 'invalid image reference'],
  ['a kubelet with tag and digest', config({}, 'k:v1.37.0@sha256:00'), 'v1.14.1', undefined],
  ['a kubelet that is too new', config({}, 'k:v1.38.0'), 'v1.13.9', undefined],
  ['kernel arguments in two ways', config(both), 'v1.13.3', undefined],
  ['kernel arguments in two ways', config(both), 'v1.13.4', "can't be used together"],
  ["somebody's change", withSomebodysChange(config(), true), 'v1.12.9', undefined],
  ['what nobody can read', withSomebodysChange(config(), false), 'v1.14.1', 'not registered'],
] as const) {
  test(`${release} ${words === undefined ? 'takes' : 'refuses'} ${what}`, () => {
    const objection = configObjection(text, release)
    if (words === undefined) assert.is(objection, undefined)
    else assert.match(objection ?? '', words)
  })
}

test.run()
