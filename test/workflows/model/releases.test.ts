import semver from 'semver'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { versionObjections } from '../../../workflows/model/compatibility.ts'
import { nextHop, RELEASES, RELEASES_AS_OF, releaseOf } from '../../../workflows/model/releases.ts'

test('the table has a day, and its minor releases follow each other without a gap', () => {
  assert.is(new Date(RELEASES_AS_OF).toISOString().slice(0, 10), RELEASES_AS_OF)
  const minors = RELEASES.map(({ minor }) => Number(minor.split('.')[1]))
  assert.equal(
    minors,
    minors.map((_, at) => (minors[0] ?? 0) + at),
  )
})

for (const release of RELEASES) {
  const { minor, newest, withdrawn, hosts, kubernetes } = release
  test(`${minor}: the newest release and those taken back are of this minor, and the newest was not taken back`, () => {
    for (const version of [newest, ...Object.keys(withdrawn)]) {
      assert.is(releaseOf(version), release)
      assert.is(semver.valid(version) && `v${semver.valid(version)}`, version)
    }
    assert.is(withdrawn[newest], undefined)
  })
  test(`${minor}: ranges are ranges, and the release before may be upgraded to it`, () => {
    assert.ok(semver.lt(hosts.from, hosts.below))
    assert.ok(kubernetes.min < kubernetes.max)
    const before = RELEASES.find((other) => nextHop(other.newest) === newest)
    assert.is(before === undefined, release === RELEASES[0])
    if (before) assert.equal(versionObjections(before.newest, newest), [])
  })
}

test('finds the row of a version, and none for a minor that only starts alike', () => {
  assert.is(releaseOf('v1.13.9')?.minor, '1.13')
  assert.is(releaseOf('1.14.0-rc.1')?.minor, '1.14')
  assert.is(releaseOf('v1.1.0'), undefined)
  assert.is(releaseOf('v1.130.0'), undefined)
  assert.is(releaseOf('v2.13.0'), undefined)
})

test('the next hop is the newest of the next minor, also where the table begins later', () => {
  assert.is(nextHop('v1.12.9'), 'v1.13.10')
  assert.is(nextHop('v1.9.0'), 'v1.10.9')
  assert.is(nextHop('v1.8.0'), undefined)
  assert.is(nextHop('v1.14.1'), undefined)
  assert.is(nextHop('v2.0.0'), undefined)
})

test.run()
