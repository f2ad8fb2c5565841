import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { VerbName } from '../../workflows/model/verb-name.ts'

const workflows = join(import.meta.dirname, '..', '..', 'workflows')

/** Every verb: an entry that has a planner of its name. */
export const verbs = readdirSync(workflows).flatMap((file) =>
  file.endsWith('.ts') && readdirSync(join(workflows, 'plan')).includes(file) ? [file.slice(0, -3) as VerbName] : [],
)
