// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import type { StepMeta } from '../../../workflows/model/step-facts.ts'
import type { Life } from '../../../workflows/plan/plan.ts'
import { kubernetesPlan, nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'
import { walk } from '../../support/walk.ts'

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

const visit = (
  plan: typeof three,
  root: AnyStateMachine = clusterMachine,
  node: AnyStateMachine = nodeMachine,
  stopAtFirst = false,
) =>
  walk(root, { node }, plan, {
    stopAtFirst,
    ...(plan === twoAndTwo || plan === beside || plan.policy.keepGoing ? {} : { deaths: 'told' }),
  })

for (const [name, plan] of Object.entries({
  ...{ three, twoAndTwo, workersOnly, mixed, single },
  ...{ drained, passedOver, keptGoing, beside, restarted, lives },
})) {
  test(`keeps every promise in every state that ${name} can reach`, () => {
    const walked = visit(plan)
    assert.equal([...walked.broken], [])
    assert.ok(walked.ends > 1, 'the walk reaches good and bad ends')
    process.stdout.write(`  ${name}: ${walked.states} states, ${walked.ends} ends\n`)
  })
}

test('breaks promises when nobody tells the machines that a process died', () => {
  const { broken } = walk(clusterMachine, { node: nodeMachine }, drained, { deaths: 'untold' })
  assert.equal([...broken.keys()].sort(), [
    'a control plane goes down without a look at etcd',
    'a node goes down with its pods',
  ])
})

test('goes back to the gate from every state whose findings expire', () => {
  const { states = {} } = nodeMachine.states.upgrading?.states.turning ?? {}
  const expires = Object.entries(states).filter(([, { meta }]) => (meta as StepMeta | undefined)?.expires)
  assert.is(expires.length, 5)
  for (const [name, { on }] of expires) assert.ok('resumed' in on, name)
})

/** What a guard becomes when it is taken away: it lets everything through, or where it chooses, always chooses the same. */
const WITHOUT: { guard: string; of: 'cluster' | 'node'; becomes: boolean; breaks: RegExp; plan: typeof three }[] = [
  { guard: 'somebodyWaits', of: 'cluster', becomes: true, breaks: /stands still/, plan: single },
  {
    guard: 'nothingFailed',
    of: 'cluster',
    becomes: true,
    breaks: /two control planes are down|before|after one failed/,
    plan: three,
  },
  {
    guard: 'takesDown',
    of: 'cluster',
    becomes: false,
    breaks: /two control planes are down|beside a control plane/,
    plan: three,
  },
  { guard: 'underLimit', of: 'cluster', becomes: true, breaks: /too many pull/, plan: workersOnly },
  {
    guard: 'somebodyMayGoDown',
    of: 'cluster',
    becomes: true,
    breaks: /more workers are taken out/,
    plan: upgradePlan(workers(['v', 'w', 'x'])),
  },
  {
    guard: 'somebodyMayGoDown',
    of: 'cluster',
    becomes: true,
    breaks: /two control planes are down|beside a control plane/,
    plan: { ...three, policy: { ...three.policy, workersAtOnce: 2 } },
  },
  { guard: 'choreIs', of: 'cluster', becomes: false, breaks: /stands still/, plan: drained },
  {
    guard: 'choreIsDue',
    of: 'cluster',
    becomes: true,
    breaks: /snapshot is taken before all have pulled/,
    plan: single,
  },
  { guard: 'choreIsDue', of: 'cluster', becomes: false, breaks: /before the snapshot/, plan: single },
  { guard: 'nobodyRuns', of: 'cluster', becomes: true, breaks: /.*/, plan: three },
  { guard: 'choreIs', of: 'cluster', becomes: false, breaks: /stands still/, plan: single },
  { guard: 'wavesAreLeft', of: 'cluster', becomes: false, breaks: /hides a failure/, plan: single },
  {
    guard: 'mayGoDown',
    of: 'cluster',
    becomes: true,
    breaks: /two control planes are down|too many|more nodes are down/,
    plan: three,
  },
  {
    guard: 'mayStayUp',
    of: 'cluster',
    becomes: true,
    breaks: /two control planes are down|more nodes are down/,
    plan: three,
  },
  { guard: 'mayStart', of: 'cluster', becomes: true, breaks: /.*/, plan: three },
  { guard: 'goalIsPull', of: 'node', becomes: false, breaks: /before all have pulled/, plan: single },
  { guard: 'goalIsInstall', of: 'node', becomes: true, breaks: /before all have pulled/, plan: three },
  { guard: 'goalIsTurn', of: 'node', becomes: false, breaks: /hides a failure/, plan: singleRestart },
  { guard: 'goalIsTurn', of: 'node', becomes: true, breaks: /before all have pulled/, plan: three },
  { guard: 'seenIn', of: 'node', becomes: false, breaks: /can not be/, plan: lives },
  { guard: 'installsFirst', of: 'node', becomes: false, breaks: /without an installation/, plan: single },
  { guard: 'rebootsByItself', of: 'node', becomes: true, breaks: /without an installation/, plan: mixed },
  { guard: 'rebootsByItself', of: 'node', becomes: false, breaks: /never went down/, plan: singleRestart },
  { guard: 'isReplacedByOneCall', of: 'node', becomes: false, breaks: /never went down/, plan: mixed },
  { guard: 'isReplacedByOneCall', of: 'node', becomes: true, breaks: /used on a new node/, plan: singleRestart },
  { guard: 'isControlPlane', of: 'node', becomes: false, breaks: /without a look at etcd/, plan: single },
  { guard: 'drains', of: 'node', becomes: false, breaks: /goes down with its pods/, plan: drained },
  { guard: 'hasGates', of: 'node', becomes: false, breaks: /no look at the gates/, plan: drained },
  { guard: 'isCordoned', of: 'node', becomes: false, breaks: /left cordoned/, plan: drained },
  {
    guard: 'isKnownToKubernetes',
    of: 'node',
    becomes: false,
    breaks: /was not verified|left cordoned/,
    plan: drained,
  },
  { guard: 'isLate', of: 'node', becomes: false, breaks: /found well and given up/, plan: single },
  { guard: 'somebodyWasTouched', of: 'cluster', becomes: false, breaks: /without a last look/, plan: single },
  { guard: 'isStillUp', of: 'node', becomes: false, breaks: /taken for one that went down/, plan: single },
  { guard: 'stoppedAtGate', of: 'node', becomes: false, breaks: /judged as if it had been/, plan: single },
  { guard: 'leadsAmongPeers', of: 'node', becomes: false, breaks: /without handing over/, plan: three },
  {
    guard: 'leadsAmongPeers',
    of: 'node',
    becomes: true,
    breaks: /a single member was asked to hand over/,
    plan: single,
  },
  {
    guard: 'drainsControlPlane',
    of: 'node',
    becomes: false,
    breaks: /without a look at etcd/,
    plan: drained,
  },
]

for (const { guard, of, becomes, breaks, plan } of WITHOUT) {
  test(`breaks a promise without the guard ${guard} of ${of}.ts`, () => {
    const guards = { [guard]: () => becomes } as never
    const root = of === 'cluster' ? clusterMachine.provide({ guards }) : clusterMachine
    const node = of === 'node' ? nodeMachine.provide({ guards }) : nodeMachine
    let sentences: string[]
    try {
      sentences = [...visit(plan, root, node, true).broken.keys()]
    } catch (error) {
      sentences = [String(error)]
    }
    assert.ok(sentences.length > 0, 'no promise was broken')
    assert.match(sentences.join('; '), breaks)
  })
}

test('has a row here for every guard', () => {
  const named = (machine: AnyStateMachine, of: string) =>
    Object.keys(machine.implementations.guards).filter((g) => !WITHOUT.some((row) => row.of === of && row.guard === g))
  assert.equal([...named(clusterMachine, 'cluster'), ...named(nodeMachine, 'node')], [])
})

test.run()
