// limit: 600 s
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { changeDuring, dieAfterIntent } from '../support/crash.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { startEntry } from '../support/run-entry.ts'

const test = suite<{ lab: TestLab }>('changed world')
test.before.each(async (context) => {
  context.lab = await startLab()
  // where no etcd runs, each look costs the whole of it
  appendFileSync(join(context.lab.clusterDir, 'operations.yaml'), 'deadlines: { observe: 10s }\n')
})
test.after.each(({ lab }) => lab.down())

const reboots = (lab: TestLab, node?: string): number =>
  lab.log().filter((event) => event.type === 'reboot.requested' && (node === undefined || event.node === node)).length
const upgrade = (lab: TestLab) => startEntry(lab, { flags: ['--output', 'plain'] }).closed

/** Nothing went down, and all of it is upgraded when the member is back. */
async function refusedUntilCured(
  lab: TestLab,
  { code, stderr }: { code: number | null; stderr: string },
): Promise<void> {
  assert.is(code, 77, stderr)
  assert.is(reboots(lab), 0, stderr)
  await lab.cure()
  const after = await upgrade(lab)
  assert.is(after.code, 0, after.stderr)
  assert.is(reboots(lab), 3)
  assert.equal(lab.check(), [])
}

test('killed right after the intent of a reboot: nothing is rebooted while another member is down', async ({ lab }) => {
  await dieAfterIntent(lab, 'reboot')
  await lab.fault({ name: 'etcd-member-down', node: 'k8s-1' })
  await refusedUntilCured(lab, await upgrade(lab))
})

test('a member is lost while the leader hands over: the leader is not rebooted', async ({ lab }) => {
  const isHandOver = (event: LoggedEvent): boolean =>
    event.type === 'rpc' && event.method.endsWith('/EtcdForfeitLeadership') && event.code === 'OK'
  const handOver = () => lab.log().find(isHandOver)
  const leader = (): string => {
    const event = handOver()
    return event && 'node' in event ? (event.node ?? '') : ''
  }
  // the leader goes last, and the others are well by then
  const ended = await changeDuring(lab, { step: 'hand-over-leadership', fits: isHandOver }, () =>
    lab.fault({ name: 'etcd-member-down', node: leader() === 'k8s-2' ? 'k8s-3' : 'k8s-2' }),
  )
  // the one whose member was lost had been upgraded by this run, and is not well at its end
  assert.is(ended.code, 1, ended.stderr)
  assert.is(reboots(lab, leader()), 0, ended.stderr)
  await lab.cure()
  const after = await upgrade(lab)
  assert.is(after.code, 0, after.stderr)
  assert.is(reboots(lab, leader()), 1)
  assert.equal(lab.check(), [])
})

test.run()
