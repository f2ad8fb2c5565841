import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leadsOn } from '../../../scripts/engine/driver.ts'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const plan = upgradePlan(['a', 'b', 'c'].map((name) => nodePlan(name, 'controlplane')))
const outcome = (path: string): JournalRecord => ({ type: 'outcome', path, at: '', tookMs: 0, ok: true })

const leads = (records: JournalRecord[], input: unknown = plan) =>
  leadsOn({ machines: { node: nodeMachine }, root: clusterMachine, input, journal: { records } })

test('a journal of these machines is followed', () => {
  assert.is(leads([]), 'on')
  assert.is(
    leads(['a', 'b', 'c'].map((node) => outcome(`${node}/pull/pull-image`)).concat(outcome('snapshot-etcd'))),
    'on',
  )
})

test('one whose records lead nowhere is not: another version of the program wrote it', () => {
  assert.is(leads([outcome('a/fetch/fetch-image')]), 'nowhere')
  assert.is(leads([...Array(2).fill(outcome('a/pull/pull-image'))]), 'nowhere')
})

test('one with a plan of another form is not', () => {
  for (const input of [null, {}, { v: 2, waves: [] }]) assert.is(leads([], input), 'nowhere', JSON.stringify(input))
})

test('one that leads to the end is carried on: all that is left is to look again', () => {
  const fails = (node: string): JournalRecord => ({
    ...{ type: 'outcome', path: `${node}/pull/pull-image`, at: '', tookMs: 0, ok: false },
    failure: failure('image-pull-failed'),
  })
  const pulls = ['a', 'b', 'c'].map(fails)
  const lookedBack: JournalRecord = { type: 'outcome', path: 'look-back', at: '', tookMs: 0, ok: true, output: [] }
  assert.is(leads(pulls), 'on')
  assert.is(leads([...pulls, lookedBack]), 'on')
})

test.run()
