import type { LabelSelector } from '../../model/kubernetes.ts'

/** Whether labels fit a selector, as Kubernetes sees it: an empty selector fits everything. */
export function matchesSelector(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => matchesExpression(labels, { key, operator, values }))
  )
}

/** One requirement of a label selector or of a node affinity; an operator that is not known fits nothing. */
export function matchesExpression(
  labels: Readonly<Record<string, string>>,
  { key, operator, values }: { key: string; operator: string; values: readonly string[] },
): boolean {
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}
