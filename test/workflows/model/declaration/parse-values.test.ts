import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nearest } from '../../../../workflows/model/nearest.ts'
import { parseAddress } from '../../../../workflows/model/parse-address.ts'
import { parseDuration } from '../../../../workflows/model/parse-duration.ts'
import { parseVersion } from '../../../../workflows/model/parse-version.ts'

const durations: [string, number | undefined][] = [
  ['500ms', 500],
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1m500ms', 60_500],
  ['', undefined],
  ['0s', undefined],
  ['10', undefined],
  ['-5s', undefined],
  ['30m1h', undefined],
  ['1.5h', undefined],
  // longer than a timer can be
  ['9999h', undefined],
]
for (const [text, ms] of durations)
  test(`reads the duration "${text}" as ${ms} ms`, () => assert.is(parseDuration(text), ms))

const versions: [string, string | undefined][] = [
  ['v1.13.9', 'v1.13.9'],
  ['1.13.9', 'v1.13.9'],
  ['v1.14.0-beta.1', 'v1.14.0-beta.1'],
  ['v1.13', undefined],
  ['1.13.09', undefined],
  ['latest', undefined],
  ['vv1.13.9', undefined],
]
for (const [text, version] of versions)
  test(`reads the version "${text}" as ${version}`, () => assert.is(parseVersion(text), version))

const addresses: [string, string | undefined][] = [
  ['10.0.0.1', '10.0.0.1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['127.1', undefined],
  ['0x7f.0.0.1', undefined],
  ['10.0.0.1/24', undefined],
  ['k8s-1', undefined],
]
for (const [text, address] of addresses)
  test(`reads the address "${text}" as ${address}`, () => assert.is(parseAddress(text), address))

test('guesses what was meant, and says nothing when nothing is near', () => {
  const known = ['cluster', 'nodes', 'dry-run']
  assert.is(nearest('clutser', known), 'cluster')
  assert.is(nearest('dryrun', known), 'dry-run')
  assert.is(nearest('Nodes', known), 'nodes')
  assert.is(nearest('verbose', known), undefined)
})

test.run()
