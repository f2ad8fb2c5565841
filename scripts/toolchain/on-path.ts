import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** Where a program is, by its name on PATH; undefined where it is not there. Folders that are no absolute paths are left out. */
export const onPath = (
  program: string,
  { PATH = '' }: Readonly<Record<string, string | undefined>>,
): string | undefined =>
  PATH.split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, program))
    .find(isProgram)

/** Whether it is a file that can be run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
