// limit: 900 s
/** The walk breaks a promise when any guard of the machines is taken away, at any one place where it is asked. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import { guardPlaces } from '../../support/guard-places.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'
import { walk } from '../../support/walk.ts'
import { walkedPlans } from '../../support/walked-plans.ts'

type Machine = 'cluster' | 'node'

const machines = { cluster: clusterMachine, node: nodeMachine } as const

const three = upgradePlan(['a', 'b', 'c'].map((name) => nodePlan(name, 'controlplane')))
const besides = upgradePlan(['v', 'w', 'x'].map((name) => nodePlan(name, 'worker')))
const { twoAndTwo: _, keptGoing: __, passedOver: ___, drained: ____, ...small } = walkedPlans
const plans = {
  ...small,
  besides,
  ahead: { ...three, policy: { ...three.policy, workersAtOnce: 2 } },
}

/** The first promise that is broken in any plan, or what the machine throws; undefined where all are kept. */
function brokenBy(of: Machine, mutant: AnyStateMachine): string | undefined {
  for (const [name, plan] of Object.entries(plans)) {
    try {
      const root = of === 'cluster' ? mutant : clusterMachine
      const node = of === 'node' ? mutant : nodeMachine
      const { broken } = walk(root, { node }, plan, { stopAtFirst: true, deaths: 'told' })
      if (broken.size > 0) return `${name}: ${[...broken.keys()].join('; ')}`
    } catch (error) {
      return `${name}: ${error}`
    }
  }
  return undefined
}

/** What changes nothing where it is answered so, and why. */
const SAME: { at: RegExp; becomes: boolean; because: string }[] = [
  {
    at: /^observed\.always\.. .*"(configured|bootstrapped)"/,
    becomes: false,
    because: 'from these states of life a node is worked on as from `ready`',
  },
  {
    at: /^upgrading\.(preparing\.pull-image|turning\.pass-gates)\.invoke\.onError\.0 isCordoned/,
    becomes: false,
    because: 'it carries no cordon of ours before its turn, or after uncordon',
  },
  {
    at: /^upgrading\.turning\.(cordon|drain|check-etcd 2)\.invoke\.onError\.0 isCordoned/,
    becomes: true,
    because: 'it may carry our cordon as soon as that was begun',
  },
  { at: /"snapshot-etcd"/, becomes: true, because: 'what is due and no cordon of dead runs is the snapshot' },
]

/** They would go on for ever within one transition, which is no state that could be walked. */
const ENDLESS: readonly (readonly [place: RegExp, becomes: boolean])[] = [
  [/ wavesAreLeft$/, true],
  [/^waving.* choreIsDue$/, true],
  [/ not\(choreIsDue\)$/, true],
]

const isEndless = (at: string, becomes: boolean): boolean =>
  ENDLESS.some(([place, answer]) => answer === becomes && place.test(at))

for (const [of, machine] of Object.entries(machines) as [Machine, AnyStateMachine][])
  for (const { at, of: guard, answering } of guardPlaces(machine))
    for (const becomes of [true, false]) {
      const place = `${at} ${guard}`
      if (isEndless(place, becomes)) continue
      if (SAME.some((same) => same.becomes === becomes && same.at.test(place))) continue
      test(`${of}.ts: ${place}: something breaks where it is always ${becomes}`, () => {
        const broken = brokenBy(of, answering(becomes))
        assert.ok(broken !== undefined, 'no promise was broken')
        process.stdout.write(`  ${place} ${becomes}: ${broken}\n`)
      })
    }

/** Guards that are asked inside of others only. */
const INSIDE = [
  'nothingFailed',
  'somebodyWaits',
  'takesDown',
  'underLimit',
  'somebodyMayGoDown',
  'mayGoDown',
  'mayStayUp',
]

/** Waves that take nobody down would go one by one: slower, and no less safe. */
const isOnlySlower = (guard: string, becomes: boolean): boolean => guard === 'takesDown' && becomes

for (const guard of INSIDE)
  for (const becomes of [true, false].filter((answer) => !isOnlySlower(guard, answer)))
    test(`cluster.ts: something breaks where ${guard} is always ${becomes}`, () => {
      const broken = brokenBy('cluster', clusterMachine.provide({ guards: { [guard]: () => becomes } } as never))
      assert.ok(broken !== undefined, 'no promise was broken')
      process.stdout.write(`  ${guard} ${becomes}: ${broken}\n`)
    })

test('no guard of the machines is left out', () => {
  const asked = Object.values(machines).flatMap((machine) => guardPlaces(machine).map(({ of }) => of))
  const isAsked = (name: string) =>
    INSIDE.includes(name) || asked.some((of) => of === name || of.includes(`"${name}"`) || of === `not(${name})`)
  for (const machine of Object.values(machines))
    assert.equal(
      Object.keys(machine.implementations.guards).filter((name) => !isAsked(name)),
      [],
    )
})

test.run()
