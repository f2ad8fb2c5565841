import pLimit from 'p-limit'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countStarts, startsFor } from '../../../scripts/engine/starts.ts'
import { createRun } from '../../../scripts/run.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'

const counting = () => {
  const { starts, count } = countStarts('cluster-7')
  const paths = { talosctl: '/bin/true', kubectl: '/bin/true' }
  const run = createRun({ paths, env: process.env, onStart: count })
  const start = (tool: 'talosctl' | 'kubectl') => run({ tool, argv: [], timeoutMs: 20_000, mutates: false })
  return { starts, run, start }
}

test('counts each start for the step in which it happened, and what belongs to none for the cluster', async () => {
  const { starts, start } = counting()
  const oneAtATime = pLimit(1)
  await Promise.all([
    startsFor({ node: 'cp-1', of: 'verify' }, () => Promise.all([1, 2].map(() => oneAtATime(() => start('talosctl'))))),
    startsFor({ node: 'cp-2', of: 'settle' }, async () => {
      await start('kubectl')
      await startsFor({ of: 'lease' }, () => start('kubectl'))
      await start('talosctl')
    }),
    oneAtATime(() => start('talosctl')),
  ])
  assert.equal(starts, {
    'cp-1': { verify: { talosctl: 2 } },
    'cp-2': { settle: { kubectl: 1, talosctl: 1 } },
    'cluster-7': { lease: { kubectl: 1 }, otherwise: { talosctl: 1 } },
  })
})

test('a report tells of each step and phase what it started', async () => {
  const checkout = checkoutOf(fakeCluster(['a', 'b', 'c']))
  try {
    const { report } = await checkout.type()
    const { 'cluster-7': whole = {}, ...nodes } = report?.starts ?? {}
    assert.equal(Object.keys(whole).sort(), ['lease', 'look', 'look-back', 'sight'])
    assert.equal(
      Object.entries(nodes).map(([name, steps]) => [name, ...Object.keys(steps).sort()]),
      Object.keys(nodes).map((name) => [name, ...Object.keys(report?.phases[name] ?? {}).sort()]),
    )
  } finally {
    checkout.remove()
  }
})

test('counts nothing that was not started', async () => {
  const { starts, run } = counting()
  const signal = AbortSignal.abort()
  await run({ tool: 'talosctl', argv: [], timeoutMs: 20_000, mutates: false }, { signal })
  assert.equal(starts, {})
})

test.run()
