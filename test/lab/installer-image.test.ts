import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseInstallerImage } from '../../lab/installer-image.ts'

const id = 'c'.repeat(64)
const plain = { platform: 'metal', secureBoot: false, schematic: id, version: 'v1.13.9' }

for (const [name, expected] of [
  [`factory.talos.dev/metal-installer/${id}:v1.13.9`, plain],
  [`registry.home:5000/mirror/metal-installer/${id}:v1.13.9`, plain],
  [`factory.talos.dev/metal-installer-secureboot/${id}:v1.13.9`, { ...plain, secureBoot: true }],
  [`factory.talos.dev/installer/${id}:v1.9.2`, { ...plain, platform: undefined, version: 'v1.9.2' }],
  [`factory.talos.dev/installer-secureboot/${id}:v1.13.9`, { ...plain, platform: undefined, secureBoot: true }],
  ['ghcr.io/siderolabs/installer:v1.13.9', { ...plain, platform: undefined, schematic: undefined }],
  [
    `factory.talos.dev/nocloud-installer/${id}:v1.14.0-rc.1`,
    { ...plain, platform: 'nocloud', version: 'v1.14.0-rc.1' },
  ],
  [`factory.talos.dev/metal-installer/${id}:v1.13.9@sha256:${id}`, plain],
  [`factory.talos.dev/metal-installer/${id}`, undefined],
  [`factory.talos.dev/metal-installer/short:v1.13.9`, undefined],
  ['registry.k8s.io/pause:3.10', undefined],
] as const) {
  test(`${name.replaceAll(id, '…')} is read as ${expected === undefined ? 'no installer' : 'an installer'}`, () => {
    assert.equal(parseInstallerImage(name), expected)
  })
}

test.run()
