import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readPlan } from '../../../workflows/plan/read-plan.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const plan = upgradePlan([nodePlan('a', 'controlplane'), nodePlan('b', 'worker')])
const [first] = plan.nodes

test('a plan that went through a journal is the same', () => {
  assert.equal(readPlan(JSON.parse(JSON.stringify(plan))), plan)
})

const unreadable: [what: string, plan: unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a word', 'plan'],
  ['a list', [plan]],
  ['no version', { ...plan, v: undefined }],
  ['a later version', { ...plan, v: plan.v + 1 }],
  ['no nodes', { ...plan, nodes: undefined }],
  ['nodes by name', { ...plan, nodes: { a: first } }],
  ['a node that is none', { ...plan, nodes: [first, null] }],
  ['a node without a name', { ...plan, nodes: [{ ...first, node: undefined }] }],
  ['a node of which nothing was seen', { ...plan, nodes: [{ ...first, before: undefined }] }],
  ['no work', { ...plan, nodes: [{ ...first, work: undefined }] }],
  ['work in a word', { ...plan, nodes: [{ ...first, work: 'upgrade' }] }],
  ['work that is not known', { ...plan, nodes: [{ ...first, work: { kind: 'melt' } }] }],
  ['work that is called like what every object has', { ...plan, nodes: [{ ...first, work: { kind: 'toString' } }] }],
]

for (const [what, value] of unreadable)
  test(`${what} can not be read`, () => {
    assert.is(readPlan(value), undefined)
  })

test.run()
