/** Why a drain was given up: of each pod that is still there the last real reason, and what to type about it. */
import type { DrainPolicy } from '../../model/cluster.ts'
import type { Obstacle } from '../../model/event.ts'
import { type Failure, failure } from '../../model/failure.ts'
import type { KubePod } from '../../model/kubernetes.ts'
import { writeDuration } from '../../model/parse-duration.ts'
import { type Foreseeable, forecastDrain, leavingPods, longerTimeout, podName, takesLong } from './forecast.ts'
import { nameSome } from './name-some.ts'

/** What kubectl said in the course of a drain. */
export type Said = {
  /** why a pod was not evicted, by its name */
  ofPods: ReadonlyMap<string, string>
  /** of the drain as a whole */
  ofAll?: string
}

type Cause = { detail: string; hint: string }

const MOST_PODS = 5

/** `node` is the name in Kubernetes; what was to be lifted was not, and blocks. */
export function whyBlocked(facts: Foreseeable, node: string, policy: DrainPolicy, said: Said): Failure {
  const strict = { ...policy, liftedBudgets: [] }
  const { obstacles } = forecastDrain(facts, node, strict)
  const causes = leavingPods(facts, node, policy).map((pod) => {
    const own = obstacles.filter((o) => o.pod === podName(pod) && o.blocks)
    return causeOf(pod, own, policy, said)
  })
  // who blocks and has a name for it comes before who merely waits
  const sorted = [...causes.filter(({ known }) => known), ...causes.filter(({ known }) => !known)]
  const [first] = sorted
  if (first === undefined)
    return failure('drain-blocked', {
      detail: said.ofAll ?? 'kubectl did not say why',
      hint: `kubectl describe node ${node}`,
    })
  const details = sorted.map(({ detail }) => detail)
  return failure('drain-blocked', { detail: nameSome(details, MOST_PODS), hint: first.hint })
}

/** The same where nobody knows which pods are left, and `silence` is why. */
export function whyUnread({ ofPods, ofAll }: Said, silence: string | undefined): Failure {
  const told = [...ofPods].map(([pod, why]) => `${pod}: ${why}`)
  return failure('drain-blocked', { detail: nameSome(told, MOST_PODS) || ofAll || silence || 'Kubernetes is silent' })
}

function causeOf(
  pod: KubePod,
  obstacles: readonly Obstacle[],
  policy: DrainPolicy,
  { ofPods, ofAll }: Said,
): Cause & { known: boolean } {
  const name = podName(pod)
  const describe = `kubectl -n ${pod.namespace} describe pod ${pod.name}`
  const known = (detail: string, hint = describe) => ({ detail, hint, known: true })
  if (pod.terminating) {
    const { finalizers, graceMs } = pod
    if (finalizers.length > 0)
      return known(`${name} was evicted and waits until somebody has taken away ${finalizers.join(', ')}`)
    const limit = `drain.timeout (${writeDuration(policy.timeoutMs)})`
    if (takesLong(pod, policy))
      return known(
        `${name} was evicted and may take ${writeDuration(graceMs)} to end, longer than ${limit}`,
        longerTimeout(graceMs),
      )
    return known(`${name} was evicted and does not end within ${limit}`)
  }
  const why = ofPods.get(name)
  const webhook = why === undefined ? undefined : refusalOfWebhook(why)
  if (webhook) return known(`${webhook.says} of ${name}`, webhook.hint)
  const [blocking] = obstacles.filter(({ kind }) => kind !== 'grace')
  if (blocking) return known(blocking.detail, blocking.hint)
  const all = why ?? ofAll
  const because = all === undefined ? 'and kubectl did not say why' : `since ${all}`
  return { detail: `${name} is still there, ${because}`, hint: describe, known: why !== undefined }
}

/** A webhook that says no to an eviction, or that can not be asked, in its own words. */
function refusalOfWebhook(why: string): { says: string; hint: string } | undefined {
  const hint = 'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations'
  const [, denying, words] = /admission webhook "([^"]+)" denied the request:? ?(.*)$/.exec(why) ?? []
  if (denying !== undefined)
    return { says: `the webhook ${denying} refuses the eviction${words ? ` ("${words}")` : ''}`, hint }
  const [, silent, error] = /failed calling webhook "([^"]+)": (.+)$/.exec(why) ?? []
  return silent === undefined
    ? undefined
    : { says: `the webhook ${silent} can not be asked (${error}) about the eviction`, hint }
}
