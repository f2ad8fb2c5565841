import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestFileResult } from './run-test-file.ts'

/** Results of test files, by the hash of the tree that they are true of. */
export type KeptResults = {
  get(file: string): TestFileResult | undefined
  put(result: TestFileResult): void
}

/** Those of one tree, in a folder for all of them. */
export function keptResults(folder: string, tree: string): KeptResults {
  const own = join(folder, tree)
  const pathOf = (file: string): string => join(own, `${file.replaceAll('/', '.')}.json`)
  return {
    get: (file) => (existsSync(pathOf(file)) ? JSON.parse(readFileSync(pathOf(file), 'utf8')) : undefined),
    put(result) {
      mkdirSync(own, { recursive: true })
      const path = pathOf(result.file)
      // one that is half written would be believed, or break the next run
      writeFileSync(`${path}.new`, JSON.stringify(result))
      renameSync(`${path}.new`, path)
    },
  }
}
