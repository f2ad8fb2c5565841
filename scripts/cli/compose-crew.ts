/** Puts together what carries every verb out: the machines, and the steps that they invoke by name. */
import { join } from 'node:path'
import { type ClusterContext, clusterMachine, verdicts } from '../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../workflows/machines/node.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { knock } from '../cluster/knock.ts'
import { openSight } from '../cluster/sight.ts'
import type { Crew } from '../engine/crew.ts'
import { createInstallMemory } from '../steps/install-memory.ts'
import { createSteps } from '../steps/steps.ts'

export const crew: Crew = {
  root: clusterMachine,
  machines: { node: nodeMachine },
  steps: ({ session, plan, remembered, journal, run, root, ends }) =>
    createSteps({
      cluster: session.cluster,
      talos: session.talos,
      kubernetes: session.kubernetes,
      sight: openSight(session.kubernetes, ends),
      acceptEtcdOutage: plan.policy.acceptEtcdOutage,
      snapshots: join(root, 'snapshots'),
      tookNoneDown: remembered.tookNoneDown,
      run,
      installs: createInstallMemory(remembered, journal),
      plans: plan.nodes,
      knocks: knock,
    }),
  standing({ snapshot, children }) {
    const context = snapshot.context as ClusterContext
    const nodes = [...children.values()].map((child) => child.snapshot.context as { cordoned: boolean; plan: NodePlan })
    return {
      verdicts: verdicts(context),
      failures: context.failures,
      cordoned: nodes.filter(({ cordoned }) => cordoned).map(({ plan }) => plan.node),
    }
  },
}
