import { statSync } from 'node:fs'

/** Whether something is at that path. Throws where that is not for this user to know: what is another's is not absent. */
export const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined
