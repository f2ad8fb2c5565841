import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'

test('a configuration that the target does not take keeps all nodes as they are, until it is mended', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  const c = fake.nodes.get('c')
  if (!c) return assert.unreachable()
  c.objection = 'install.extraKernelArgs and install.grubUseUKICmdline can not be used together'
  const refused = await checkout.type()
  assert.is(refused.exitCode, 77)
  const [why] = refused.report?.failures ?? []
  assert.is(why?.reason, 'configuration-not-accepted')
  assert.match(why?.detail ?? '', /Talos v1\.13\.9 does not take its machine configuration: install\./)
  assert.is(refused.report?.verdicts.c?.verdict ?? 'refused', 'refused')
  for (const { installs, reboots } of fake.nodes.values()) assert.is(installs + reboots, 0)

  delete c.objection
  assert.is((await checkout.type()).exitCode, 0)
  for (const { installs } of fake.nodes.values()) assert.is(installs, 1)
  checkout.remove()
})

test.run()
