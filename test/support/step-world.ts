import type { Kubernetes } from '../../scripts/cluster/kubernetes.ts'
import type { Sight } from '../../scripts/cluster/sight.ts'
import type { Talos } from '../../scripts/cluster/talos.ts'
import type { World } from '../../scripts/cluster/world.ts'
import type { StepContext } from '../../scripts/engine/driver.ts'
import { createInstallMemory } from '../../scripts/steps/install-memory.ts'
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import type { Cluster } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import { recollect } from '../../workflows/plan/memory.ts'
import type { Before, NodePlan } from '../../workflows/plan/plan.ts'
import { type FakeNode, fakeCluster } from './fake-cluster.ts'
import { stepContext } from './step-context.ts'

type Fake = ReturnType<typeof fakeCluster>
type Ports = { talos: Talos; kubernetes: Kubernetes }

/** What differs in a world where all is well. */
export type Given = {
  /** what became of the cluster */
  when?: ((fake: Fake) => void) | undefined
  /** calls that are answered otherwise; the ports are those that would have answered */
  answers?: ((ports: Ports, fake: Fake) => { [Port in keyof Ports]?: Partial<Ports[Port]> }) | undefined
  operations?: Partial<Cluster['operations']>
  /** of everything that is waited for; with 0 it is looked at once */
  deadlineMs?: number
  world?: Partial<World>
  context?: Partial<StepContext>
  /** the step is told to end while that call is made */
  abortedIn?: keyof Talos | keyof Kubernetes
  /** which of its requests it may not make: the run was told to stop, or has lost its lock */
  keptBackAt?: number
}

/** A world in which a step was carried out: every call in its order, and how it ended. */
export type Row = Given & {
  title: string
  asks: readonly string[]
  /** `done`, with what the step answers; `reason: detail`; `cut off` or `kept back` */
  ends: string
}

/** What differs in the plan of a node. */
export type Differing = Partial<Omit<NodePlan, 'before'>> & { before?: Partial<Before> }

/** What a step is given for the node `a`, as the fake cluster plans it; `more` is what differs in the plan. */
export const inputOf =
  ({ before, ...more }: Differing = {}, begun: Partial<NodeStepInput> = {}) =>
  ({ plan }: Fake): NodeStepInput => {
    const own = plan.nodes.find(({ node }) => node === 'a')
    if (!own) throw new Error('a is not planned')
    return { install: 'done', flipped: true, ...begun, plan: { ...own, ...more, before: { ...own.before, ...before } } }
  }

/** Carries a step out in a world of control planes; tells what it asked of whom, and how it ended. */
export async function carriedOut<Input>(
  names: readonly string[],
  step: (world: World) => (input: Input, context: StepContext) => Promise<Result<unknown>>,
  inputOf: (fake: Fake) => Input,
  { when, answers, operations, deadlineMs = 5_000, world: more, context, abortedIn, keptBackAt }: Given,
): Promise<{ asks: string[]; ends: string }> {
  const fake = fakeCluster(names)
  when?.(fake)
  const ports = { talos: fake.connect(() => false), kubernetes: fake.kubernetes.connect(() => false) }
  const others = answers?.(ports, fake)
  const stop = new AbortController()
  const asks: string[] = []
  const keptBack = new Error('kept back')
  let requests = 0
  const mayBegin = async <Seen>(lastLook: () => Promise<Seen>): Promise<Seen> => {
    requests += 1
    const seen = await lastLook()
    if (requests === keptBackAt) throw keptBack
    return seen
  }
  const recorded = <Port extends Talos | Kubernetes | Sight>(port: Port, how = ''): Port =>
    new Proxy(port, {
      get:
        (_, name) =>
        async (...given: unknown[]) => {
          asks.push([`${how}${String(name)}`, ...given.map(worded).filter((word) => word !== '')].join(' '))
          if (name === abortedIn) stop.abort()
          const call = Reflect.get<object, PropertyKey>(port, name) as (...given: unknown[]) => Promise<unknown>
          const answer = await call(...given)
          // a command whose signal was aborted is ended with its processes
          const isEnded = given.some((options) => signalOf(options)?.aborted) && isResult(answer)
          return isEnded ? { ok: false, failure: failure('command-failed', { detail: 'was interrupted' }) } : answer
        },
    })
  const { cluster } = fake
  const deadlines = Object.fromEntries(Object.keys(cluster.operations.deadlines).map((of) => [of, deadlineMs]))
  const kubernetes = { ...ports.kubernetes, ...others?.kubernetes }
  const world: World = {
    cluster: {
      ...cluster,
      operations: { ...cluster.operations, deadlines: deadlines as Cluster['operations']['deadlines'], ...operations },
    },
    talos: recorded({ ...ports.talos, ...others?.talos }),
    kubernetes: recorded(kubernetes),
    sight: recorded({ nodes: kubernetes.nodes, podsOn: kubernetes.podsOn }, 'told '),
    acceptEtcdOutage: false,
    snapshots: '',
    tookNoneDown: new Set(),
    run: 'r',
    installs: createInstallMemory(recollect([], ''), { append: () => {} }),
    plans: fake.plan.nodes,
    knocks: async () => true,
    ...more,
  }
  try {
    const ended = await step(world)(inputOf(fake), stepContext({ signal: stop.signal, mayBegin, ...context }))
    if (ended.ok) return { asks, ends: ended.value === undefined ? 'done' : `done ${JSON.stringify(ended.value)}` }
    const { reason, detail } = ended.failure
    return { asks, ends: stop.signal.aborted ? 'cut off' : detail === undefined ? reason : `${reason}: ${detail}` }
  } catch (thrown) {
    if (thrown === keptBack) return { asks, ends: 'kept back' }
    if (!stop.signal.aborted) throw thrown
    return { asks, ends: 'cut off' }
  }
}

/** What becomes of the node `a` while it is looked whether etcd bears its loss. */
export const whileEtcdIsLookedAt =
  (happens: (node: FakeNode, fake: Fake) => void): NonNullable<Given['answers']> =>
  ({ talos }, fake) => ({
    talos: {
      async observeEtcd(nodes, options) {
        const node = fake.nodes.get('a')
        if (node) happens(node, fake)
        return talos.observeEtcd(nodes, options)
      },
    },
  })

const signalOf = (options: unknown): AbortSignal | undefined =>
  (options as { signal?: AbortSignal } | undefined)?.signal

const isResult = (answer: unknown): boolean => typeof answer === 'object' && answer !== null && 'ok' in answer

/** The nodes, images and names of a call; not how long it may take. */
function worded(given: unknown): string {
  if (typeof given === 'string') return given
  if (Array.isArray(given)) return given.map(worded).join(',')
  if (typeof given !== 'object' || given === null) return ''
  if ('force' in given) return given.force === true ? 'by force' : ''
  return 'name' in given ? String(given.name) : ''
}
