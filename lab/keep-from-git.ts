import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isThere } from './is-there.ts'

/** Makes a folder that git leaves out. One that says so is left as it is: to write it again could leave it empty. */
export function keepFromGit(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const ignore = join(folder, '.gitignore')
  if (isThere(ignore) && readFileSync(ignore, 'utf8') === EVERYTHING) return
  const draft = `${ignore}.${process.pid}.draft`
  try {
    writeFileSync(draft, EVERYTHING, { mode: 0o644, flush: true })
    renameSync(draft, ignore)
  } finally {
    rmSync(draft, { force: true })
  }
}

const EVERYTHING = '*\n'
