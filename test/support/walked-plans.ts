/** Plans made by hand for the walk over the machines: what a policy, a drain, a state of life or a kind of work changes. */
import type { Life } from '../../workflows/plan/plan.ts'
import { kubernetesPlan, nodePlan, upgradePlan } from './upgrade-plan.ts'

const controlPlanes = (names: string[], more = {}) => names.map((n) => nodePlan(n, 'controlplane', more))
const workers = (names: string[], more = {}) => names.map((n) => nodePlan(n, 'worker', more))

const three = upgradePlan(controlPlanes(['a', 'b', 'c']))
const twoAndTwo = upgradePlan([...controlPlanes(['a', 'b']), ...workers(['v', 'w'])], { workersAtOnce: 2 })
/** the canary is one of three workers, so that two are left to go side by side */
const workersOnly = upgradePlan(workers(['v', 'w', 'x']), { workersAtOnce: 2, atOnce: 2 })
/** one below 1.13, one with the new version in the other slot, one that is done, one to do */
const mixed = upgradePlan([
  ...controlPlanes(['a'], { work: 'one call', before: { version: 'v1.12.9' } }),
  ...controlPlanes(['b'], { work: 'reboot: it waits' }),
  ...controlPlanes(['c'], { work: { kind: 'leave' } }),
  ...controlPlanes(['d']),
])
const drains = { kubernetes: kubernetesPlan({ gates: ['g'] }) }
const drained = upgradePlan([...controlPlanes(['a', 'b'], drains), ...workers(['v'], drains)], {
  staleCordons: [{ node: 'x', run: 'r' }],
})
const drainedOne = upgradePlan(controlPlanes(['a'], drains), { staleCordons: [{ node: 'x', run: 'r' }] })
const drainedPair = upgradePlan([...controlPlanes(['a'], drains), ...workers(['v'], drains)])
const oldPair = upgradePlan(controlPlanes(['a', 'b'], { ...drains, work: 'one call', before: { version: 'v1.12.9' } }))
const leftAlone = { kubernetes: kubernetesPlan({ drain: { how: 'left alone', whyNot: 'it is off' } }) }
const undrained = upgradePlan(controlPlanes(['a'], leftAlone))
const passedOver = upgradePlan(workers(['v', 'w', 'x'], drains), { passOverBlocked: true, workersAtOnce: 2 })
const keptGoing = upgradePlan([...controlPlanes(['a', 'b']), ...workers(['v'], drains)], { keepGoing: true })
const beside = upgradePlan([...controlPlanes(['a', 'b']), ...workers(['v', 'w'])], {
  workersBesideControlPlanes: true,
})
const single = upgradePlan(controlPlanes(['a']))
/** what `reboot` yields: the same machine, and no other image */
const restart = { work: { kind: 'restart', mode: 'default' } } as const
const restarted = upgradePlan([...controlPlanes(['a', 'b'], { ...restart, ...drains }), ...workers(['v'], restart)])
const singleRestart = upgradePlan(controlPlanes(['a'], restart))
/** one in each state of life; a run goes on where one of them can not be worked on */
const seen = (life: Life) => ({ before: { seen: life } })
const lives = upgradePlan(
  [
    ...controlPlanes(['a'], seen('bootstrapped')),
    ...workers(['v'], seen('maintenance')),
    ...workers(['w'], seen('reset')),
    ...workers(['x'], { ...seen('configured'), ...restart }),
  ],
  { keepGoing: true },
)

/** By name, from small to large. */
export const walkedPlans = {
  ...{
    single,
    singleRestart,
    lives,
    mixed,
    drainedOne,
    undrained,
    drainedPair,
    oldPair,
    restarted,
    beside,
    workersOnly,
    three,
  },
  ...{ twoAndTwo, keptGoing, passedOver, drained },
}
