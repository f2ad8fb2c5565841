import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { everywhere, type Subject } from './subject.ts'

/** Flags that the kubelet does not know, does not need, or needs help with. */
export const kubeletArguments = (subject: Subject): Problem[] =>
  everywhere(subject, 'machine', 'kubelet', 'extraArgs').flatMap((args) =>
    args.entries().flatMap(([flag, value]) => [...(KNOWN.get(flag)?.(value) ?? []), ...notText(flag, value)]),
  )

const KNOWN: ReadonlyMap<string, (value: Place) => Problem[]> = new Map([
  [
    'allow-privileged',
    (value) => [
      value.key(
        'the kubelet has no flag --allow-privileged any more, and ends when it is given one that it does not know',
        'remove it, and allow privileged pods by a label of their namespace, pod-security.kubernetes.io/enforce=privileged',
      ),
    ],
  ],
  [
    'rotate-server-certificates',
    (value) =>
      String(value.value) === 'true'
        ? [
            warning(
              value.key(
                "nobody signs the kubelet's server certificates by default, and without them logs and metrics fail",
                'install a CSR approver, such as kubelet-serving-cert-approver, or remove the flag',
              ),
            ),
          ]
        : [],
  ],
  [
    'feature-gates',
    (value) =>
      /\bGracefulNodeShutdown=true\b/.test(String(value.value))
        ? [warning(value.key('GracefulNodeShutdown is on without its feature gate', 'remove it'))]
        : [],
  ],
])

function notText(flag: string, place: Place): Problem[] {
  const { value } = place
  if ((typeof value !== 'boolean' && typeof value !== 'number') || flag === 'allow-privileged') return []
  return [warning(place.key(`values of extraArgs are text, and ${flag} is not`, `${flag}: "${value}"`))]
}
