import { readFileSync } from 'node:fs'

/** Version of this program: a run of another one is closed, not carried on. */
export const product = String(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version)
