// limit: 400 s
/** The whole command on a disk that is full from some moment on; then somebody makes room, and types it again. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { onFailingDisk } from '../../support/failing-disk.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'

/** Writes are many, and alike: one in so many meets every kind of them. */
const EACH = 6

test('a disk that fills up at any moment ends an upgrade in words, and the same command carries it to its end', async () => {
  const codes = new Set<number | undefined>()
  for (let at = 1; ; at += EACH) {
    const fake = fakeCluster(['a', 'b', 'c'])
    const checkout = checkoutOf(fake)
    const { value: first, refused } = await onFailingDisk({ code: 'ENOSPC', at, below: checkout.runs }, () =>
      checkout.type(),
    )
    codes.add(first.exitCode)
    const told = first.report
    const hasChanged = [...fake.nodes.values()].some(({ installs, reboots }) => installs + reboots > 0)
    if (refused) assert.ok(first.exitCode !== 69 || !hasChanged, `write ${at}: 69, and something was changed`)
    if (refused && !hasChanged) assert.is(first.exitCode, 69, `write ${at}`)
    const failures = told?.failures ?? []
    for (const { reason, detail } of failures) assert.is.not(reason, 'bug', `write ${at}: ${detail}`)
    for (const [node, { installs, reboots }] of fake.nodes)
      if (told && installs + reboots > 0)
        assert.is.not(told.verdicts[node]?.verdict, 'unchanged', `write ${at}: ${node} was changed`)
    if (!refused) {
      assert.is(first.exitCode, 0)
      assert.ok(at > 100, `${at} writes`)
      checkout.remove()
      break
    }
    // the process that could not give its lock back has ended
    if (existsSync(checkout.runs))
      for (const name of readdirSync(checkout.runs)) if (name.startsWith('lock.')) rmSync(join(checkout.runs, name))
    const second = await checkout.type()
    assert.is(second.exitCode, 0, `write ${at}: ${JSON.stringify(second.report?.failures)}`)
    for (const [node, { version, installs }] of fake.nodes)
      assert.equal([node, version, installs], [node, 'v1.13.9', 1], `write ${at}`)
    assert.equal(fake.trouble, [], `write ${at}`)
    checkout.remove()
  }
  assert.equal(
    [...codes].sort((a = 0, b = 0) => a - b),
    [0, 1, 69],
  )
})

test.run()
