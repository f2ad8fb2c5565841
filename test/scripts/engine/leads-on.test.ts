import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { canReplay } from '../../../scripts/engine/driver.ts'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const plan = upgradePlan(['a', 'b', 'c'].map((name) => nodePlan(name, 'controlplane')))
const outcome = (path: string): JournalRecord => ({ type: 'outcome', path, at: '', tookMs: 0, ok: true })

const follows = (records: JournalRecord[], input: unknown = plan): boolean =>
  canReplay({ machines: { node: nodeMachine }, root: clusterMachine, input, journal: { records } })

test('a journal of these machines is followed', () => {
  assert.ok(follows([]))
  assert.ok(follows([outcome('a/pull/pull-image')]))
})

test('one whose records lead nowhere is not: another version of the program wrote it', () => {
  assert.not.ok(follows([outcome('a/fetch/fetch-image')]))
  assert.not.ok(follows([outcome('a/pull/pull-image'), outcome('a/pull/pull-image')]))
})

test('one with a plan of another form is not', () => {
  for (const input of [null, {}, { v: 2, waves: [] }]) assert.not.ok(follows([], input), JSON.stringify(input))
})

test.run()
