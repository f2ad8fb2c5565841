import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ruleFor } from '../../../workflows/plan/verification-rule.ts'

const rows: readonly [title: string, image: string, patterns: readonly string[], id: string | undefined][] = [
  ['the first that fits', 'ghcr.io/siderolabs/installer:v1.14.1', ['docker.io/*', 'ghcr.io/*', '*'], '0001'],
  ['everything fits a star', 'factory.talos.dev/metal-installer/abc:v1.14.1', ['ghcr.io/*', '*'], '0001'],
  ['no tag counts', 'ghcr.io/siderolabs/installer:v1.14.1', ['ghcr.io/siderolabs/installer'], '0000'],
  ['no digest counts', `ghcr.io/siderolabs/installer:v1@sha256:${'0'.repeat(64)}`, ['ghcr.io/*/installer'], '0000'],
  ['a port is no tag', 'registry.lan:5000/installer', ['registry.lan:5000/*'], '0000'],
  ['a dot is a dot', 'ghcrXio/installer', ['ghcr.io/*'], undefined],
  ['a registry in capitals', 'ghcr.io/installer:v1', ['GHCR.io/*'], '0000'],
  ['Docker Hub by another name', 'me/installer:v1', ['index.docker.io/me/*'], '0000'],
  ['a rule without a pattern fits nothing', 'ghcr.io/installer:v1', ['', '*'], '0001'],
  ['none fits', 'ghcr.io/installer:v1', ['docker.io/*'], undefined],
]

for (const [title, image, patterns, id] of rows)
  test(title, () => {
    assert.is(ruleFor(image, patterns)?.id, id)
  })

test.run()
