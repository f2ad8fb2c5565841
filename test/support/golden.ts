import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as assert from 'uvu/assert'

/**
 * Compares a text with the file that is checked in for it. `GOLDEN=write` writes the files anew, for a look at the diff;
 * a run that did so fails, so that it is never left on.
 */
export function golden(path: string, actual: string): void {
  if (process.env.GOLDEN === 'write') {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, actual)
    assert.unreachable(`${path} was written; run the test again without GOLDEN`)
  }
  assert.ok(existsSync(path), `${path} is missing: GOLDEN=write makes it`)
  assert.fixture(actual, readFileSync(path, 'utf8'))
}
