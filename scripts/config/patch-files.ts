import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A file of patches/, for the nodes that its folder names. */
export type PatchFile = {
  /** `global`, `controller`, `worker` or the name of a node */
  scope: string
  /** file name as it will be referred to: without .j2 */
  name: string
  path: string
  /** to be rendered; else it is taken as it is, encrypted or not */
  template: boolean
}

/** Every patch below `folder`, by scope and name; the order of names is the order in which they are applied. */
export function patchFiles(folder: string): PatchFile[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .filter((scope) => statSync(join(folder, scope)).isDirectory())
    .flatMap((scope) =>
      readdirSync(join(folder, scope))
        .filter((name) => /\.ya?ml(\.j2)?$/.test(name))
        .sort()
        .map((name) => ({
          scope,
          name: name.replace(/\.j2$/, ''),
          path: join(folder, scope, name),
          template: name.endsWith('.j2'),
        })),
    )
}
