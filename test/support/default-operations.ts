import type { Operations } from '../../workflows/model/cluster.ts'
import { parseOperations } from '../../workflows/model/declaration/parse-operations.ts'

const { value } = parseOperations()
if (value === undefined) throw new Error('no operations.yaml at all is in order')

/** The policy of a cluster without an operations.yaml. */
export const defaultOperations: Operations = value
