import type { TemplateOptions } from '../../workflows/model/cluster.ts'
import { parseOperations } from '../../workflows/model/parse-operations.ts'

const { value } = parseOperations()
if (value === undefined) throw new Error('no operations.yaml at all is in order')

/** How templates are read where operations.yaml says nothing. */
export const defaultTemplateOptions: TemplateOptions = value.templates
