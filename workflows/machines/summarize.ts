/** The plan in words, in the order in which it happens. */

import type { PlannedDrain, PlanSummary, WorkWord } from '../model/event.ts'
import type { StepName } from '../model/step-name.ts'
import { plannedDrain } from '../plan/drain/planned-drain.ts'
import { installedBefore } from '../plan/judge.ts'
import { type NodePlan, type Plan, sequenceOf, type Work } from '../plan/plan.ts'
import { PREPARE } from './phases/prepare.ts'
import { TURN } from './phases/turn.ts'
import { WHEN } from './phases/when.ts'

export function summarize(plan: Plan): PlanSummary {
  const sequence = sequenceOf(plan)
  const idle = plan.nodes.map(({ node }) => node).filter((node) => !sequence.includes(node))
  const alone = plan.waves.find(({ goal }) => goal === 'turn')?.nodes
  const canary = alone?.length === 1 && sequence.length > 1 ? alone[0] : undefined
  return {
    verb: plan.verb,
    ...(plan.target === undefined ? {} : { target: plan.target }),
    nodes: [...sequence, ...idle].flatMap((name) => {
      const node = plan.nodes.find((n) => n.node === name)
      if (!node) return []
      const why = name === canary ? `${node.why} (goes first, alone)` : node.why
      const drain = drainOf(node)
      const work = workText(node.work)
      return [{ node: name, role: node.role, work, why, steps: stepsOf(plan, node), ...(drain && { drain }) }]
    }),
    notes: [
      ...plan.chores.flatMap((chore) =>
        chore.step === 'clear-cordons'
          ? chore.cordons.map(({ node, run }) => `${node} is still cordoned by ${run}, which is over: lifted first`)
          : [],
      ),
      ...drainedByTalos(plan),
      ...plan.notes,
    ],
  }
}

/** What is done to a node, in the one word that people and their scripts know it by. */
function workText(work: Work): WorkWord {
  switch (work.kind) {
    case 'leave':
      return 'none'
    case 'restart':
      return 'reboot'
    case 'switch':
      return work.how === 'reboot: it waits' ? 'finish' : 'upgrade'
  }
}

/** The one call of Talos below 1.13 drains the node, whether we do or not. */
function drainedByTalos({ nodes }: Plan): string[] {
  const names = nodes
    .filter(({ work, kubernetes }) => isOneCall(work) && kubernetes && kubernetes.drain.how !== 'drained')
    .map(({ node }) => node)
  if (names.length === 0) return []
  return [`Talos below 1.13 evicts pods by itself as it upgrades, for up to five minutes: ${names.join(', ')}`]
}

/** Talos below 1.13 installs and reboots in the same call. */
const isOneCall = (work: Work): boolean => work.kind === 'switch' && work.how === 'one call'

const drainOf = ({ kubernetes, work }: NodePlan): PlannedDrain | undefined =>
  kubernetes === undefined || work.kind === 'leave' ? undefined : plannedDrain(kubernetes)

/** The steps of a node, as its phases have them, as far as that can be told ahead. */
function stepsOf(plan: Plan, node: NodePlan): StepName[] {
  let install = installedBefore(node.work)
  return plan.waves
    .filter(({ nodes }) => nodes.includes(node.node))
    .flatMap(({ goal }) => {
      const cordoned = node.kubernetes !== undefined && node.kubernetes.drain.how !== 'left alone'
      // whoever leads by then hands over
      const leads = node.role === 'controlplane' && plan.controlPlanes.length > 1
      const facts = { plan: node, goal, install, leads, cordoned }
      const steps = (goal === 'turn' ? TURN : PREPARE)
        .filter(({ when }) => when === undefined || WHEN[when](facts))
        .map(({ step }) => step)
      if (steps.includes('install')) install = 'done'
      return steps
    })
}
