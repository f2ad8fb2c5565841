import { join } from 'node:path'
import type { Kubernetes } from '../../scripts/cluster/kubernetes.ts'
import type { Talos } from '../../scripts/cluster/talos.ts'
import { type Drive, type Driven, drive, type Step } from '../../scripts/engine/driver.ts'
import type { Journal } from '../../scripts/engine/journal.ts'
import { createStop } from '../../scripts/engine/stop.ts'
import { createInstallMemory } from '../../scripts/steps/install-memory.ts'
import { createSteps } from '../../scripts/steps/steps.ts'
import { clusterMachine } from '../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../workflows/machines/node.ts'
import type { StepName } from '../../workflows/model/step-name.ts'
import { recollect } from '../../workflows/plan/memory.ts'
import { awake } from './awake.ts'
import type { fakeCluster } from './fake-cluster.ts'

type Wishes = Partial<Drive> & {
  isDead?: () => boolean
  /** what the world does instead */
  talos?: Partial<Talos>
  kubernetes?: Partial<Kubernetes>
  /** what becomes of the bodies of the steps */
  around?: (name: StepName, body: Step) => Step
}

/** Drives the upgrade of a fake cluster as one process, whose journal lies beside its other files in `folder`. */
export function driveFake(
  fake: ReturnType<typeof fakeCluster>,
  folder: string,
  journal: Journal,
  { isDead = () => false, talos, kubernetes, around = (_, body) => body, ...more }: Wishes = {},
): Promise<Driven> {
  const connected = { ...fake.kubernetes.connect(isDead), ...kubernetes }
  const steps = createSteps({
    cluster: fake.cluster,
    talos: { ...fake.connect(isDead), ...talos },
    ...{ kubernetes: connected, sight: connected },
    acceptEtcdOutage: false,
    snapshots: join(folder, 'snapshots'),
    tookNoneDown: new Set(),
    run: 'r',
    installs: createInstallMemory(recollect([], ''), journal),
    plans: fake.plan.nodes,
    knocks: async () => true,
  })
  return drive({
    machines: { node: nodeMachine },
    root: clusterMachine,
    input: fake.plan,
    steps: Object.fromEntries(Object.entries(steps).map(([name, body]) => [name, around(name as StepName, body)])),
    journal,
    processes: folder,
    emit: () => {},
    stop: createStop(),
    heartbeat: awake,
    fence: () => undefined,
    confirm: async () => undefined,
    ...more,
  })
}
