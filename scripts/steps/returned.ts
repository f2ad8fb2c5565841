/** Watches a node go down and come back: a knock at its port while it is away, a full look when it answers. */
import type { NodeDeclaration, NodeName } from '../../workflows/model/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import type { Glance } from '../cluster/talos.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

/** where the port can not be reached from here, others are asked this often */
const BY_OTHERS_MS = 5_000

type Sight = { answers: boolean; glance?: Result<Glance> }

/** Looks until the node answers and `until` holds, or the deadline passes. */
export async function watchReturn(
  world: World,
  node: NodeName,
  context: StepContext,
  options: { what: string; until: (glance: Glance) => boolean; deadlineMs: number },
): Promise<{ met: boolean; glance?: Glance }> {
  const declared = declaredNode(world, node)
  let askedAt = Number.NEGATIVE_INFINITY
  const { met, seen } = await watch<Sight>(context, {
    what: options.what,
    look: async () => {
      const answers = await world.knocks(declared, context.signal)
      if (!answers && performance.now() - askedAt < BY_OTHERS_MS) return { answers }
      askedAt = performance.now()
      const glance = await (answers
        ? world.talos.glance(declared, reading(world, context))
        : byOthers(world, declared, context))
      return { answers, glance }
    },
    until: ({ glance }) => glance?.ok === true && options.until(glance.value),
    say: ({ answers, glance }) =>
      glance?.ok ? `${glance.value.stage}, ${glance.value.version}` : answers ? 'answers no question yet' : 'down',
    deadlineMs: options.deadlineMs,
    everyMs: 100,
  })
  return { met, ...(seen.glance?.ok ? { glance: seen.glance.value } : {}) }
}

/** Asks others for the node, which may hang for long, and gives that up as soon as it can be asked itself. */
async function byOthers(world: World, node: NodeDeclaration, context: StepContext): Promise<Result<Glance>> {
  const enough = new AbortController()
  const signal = AbortSignal.any([context.signal, enough.signal])
  const { timeoutMs } = reading(world, context)
  const knocked = watch(
    { signal, waiting: () => {} },
    {
      what: `${node.name} to take connections`,
      look: () => world.knocks(node, signal),
      until: Boolean,
      deadlineMs: timeoutMs,
      everyMs: 200,
    },
  ).then(
    () => enough.abort(),
    () => undefined,
  )
  try {
    return await world.talos.glance(node, { signal, timeoutMs })
  } finally {
    enough.abort()
    await knocked
  }
}
