// limit: 400 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { labImage, startLab } from '../support/lab.ts'
import { assertUpgraded, changesOf } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'

const target = 'v1.13.9'

// both server generations, one node with the target already, and people who do things by hand meanwhile
const lab = await startLab({
  target,
  workers: 4,
  versions: { 'k8s-2': 'v1.12.9', 'k8s-3': target, 'worker-4': 'v1.12.9' },
  speed: 100,
})
const names = Object.keys(lab.addresses)

async function byHand(node: string, ...argv: string[]): Promise<void> {
  const { code, stderr } = await lab.talosctl(['-n', lab.addresses[node] ?? '', ...argv])
  assert.is(code, 0, stderr)
}

/** Resolves when `node` was asked to reboot, by the run or by hand. */
const hasItsTurn = (node: string) => lab.logged((event) => event.type === 'reboot.requested' && event.node === node)

test.after(() => lab.down())

test('Every node ends with the target and its own verdict, whatever somebody did to it before or meanwhile', async () => {
  await byHand('worker-1', 'upgrade', '--image', labImage(target), '--no-reboot')
  // keeps the run waiting until the people have made their reboots, before anything is installed on the rest
  await lab.fault({ name: 'never-returns', node: 'worker-1' })
  // the newer talosctl drives both server generations, too
  const running = runUpgrade(lab, { by: 'talosctl-1.14' })
  const meddling = async () => {
    await hasItsTurn('worker-1')
    const from = lab.log().length
    // nothing waits there yet: they come back as they were
    for (const node of ['worker-3', 'worker-4']) {
      await byHand(node, 'reboot', '--wait=false')
      await lab.logged((event) => event.type === 'machine.ready' && event.node === node, { from })
    }
    await lab.cure()
    await hasItsTurn('k8s-1')
    await byHand('worker-2', 'reboot', '--wait=false')
  }
  const [run] = await Promise.all([running, meddling()])
  const [canary] = run.events.flatMap((event) => (event.type === 'run.started' ? event.plan.nodes : []))
  assert.equal([canary?.node, canary?.work], ['worker-1', 'finish'])
  assertEnding(run, names, {
    code: 0,
    verdicts: ['upgraded', 'upgraded', 'unchanged', 'upgraded', 'flipped-early', 'upgraded', 'upgraded'],
    reasons: [],
  })
  await assertUpgraded(lab, target, {
    'k8s-1': [1, 1],
    'k8s-2': [1, 1],
    'k8s-3': [0, 0],
    'worker-1': [1, 1],
    'worker-2': [1, 1],
    'worker-3': [1, 2],
    'worker-4': [1, 2],
  })
})

test('A second run, by the older talosctl, finds nothing to do', async () => {
  const before = changesOf(lab.log())
  const run = await runUpgrade(lab, { by: 'talosctl-1.13' })
  assertEnding(run, names, { code: 0, verdicts: names.map(() => 'unchanged' as const), reasons: [] })
  assert.equal(changesOf(lab.log()), before)
})

test.run()
