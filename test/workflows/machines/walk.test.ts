// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import type { Role } from '../../../workflows/model/cluster.ts'
import type { StepMeta } from '../../../workflows/model/step-facts.ts'
import type { Plan } from '../../../workflows/plan/plan.ts'
import { allSeen, generatedPlan, type Seen } from '../../support/generated-plans.ts'
import { inFull } from '../../support/in-full.ts'
import { verbs } from '../../support/verbs.ts'
import { walk } from '../../support/walk.ts'
import { walkedPlans } from '../../support/walked-plans.ts'

const machines = { node: nodeMachine }

const visit = (plan: Plan) => walk(clusterMachine, machines, plan, { deaths: 'told' })

/** Each of them takes long, and has a smaller one beside it. */
const LARGE = ['twoAndTwo', 'keptGoing', 'passedOver', 'drained', 'beside']

for (const [name, plan] of Object.entries(walkedPlans)) {
  if (!inFull && LARGE.includes(name)) continue
  test(`keeps every promise in every state that ${name} can reach`, () => {
    const walked = visit(plan)
    assert.equal([...walked.broken], [])
    assert.ok(walked.ends > 1, 'the walk reaches good and bad ends')
    process.stdout.write(`  ${name}: ${walked.states} states, ${walked.ends} ends\n`)
  })
}

type Shape = [name: string, role: Role, seen: Seen][]

/** One of the nodes is seen in that state, and the others are ready. */
const shapes = (seen: Seen): Shape[] => [
  [['a', 'controlplane', seen]],
  [
    ['a', 'controlplane', seen],
    ['v', 'worker', 'ready'],
  ],
  [
    ['a', 'controlplane', 'ready'],
    ['v', 'worker', seen],
  ],
  ...(inFull
    ? ([
        ['a', 'b'],
        ['a', 'b', 'c'],
      ].map((names) => names.map((name) => [name, 'controlplane', name === 'b' ? seen : 'ready'])) as Shape[])
    : []),
]

for (const verb of verbs)
  test(`keeps every promise of any plan of ${verb}, whatever state its nodes are seen in`, () => {
    let plans = 0
    for (const seen of allSeen)
      for (const drains of [true, false])
        for (const shape of shapes(seen)) {
          const plan = generatedPlan(verb, shape, { drains })
          if (plan === undefined) continue
          plans += 1
          assert.equal([...visit(plan).broken], [], JSON.stringify({ shape, drains }))
        }
    assert.ok(plans > allSeen.length, `${plans} plans`)
  })

test('breaks promises when nobody tells the machines that a process died', () => {
  const { broken } = walk(clusterMachine, machines, walkedPlans.restarted, { deaths: 'untold' })
  assert.equal([...broken.keys()].sort(), [
    'a control plane goes down without a look at etcd',
    'a follower was asked to hand over',
    'a node goes down with its pods',
  ])
})

test('goes back to the gate from every state whose findings expire', () => {
  const { states = {} } = nodeMachine.states.upgrading?.states.turning ?? {}
  const expires = Object.entries(states).filter(([, { meta }]) => (meta as StepMeta | undefined)?.expires)
  assert.is(expires.length, 5)
  for (const [name, { on }] of expires) assert.ok('resumed' in on, name)
})

test.run()
