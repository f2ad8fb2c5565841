import { constants, copyFileSync, linkSync } from 'node:fs'

/**
 * Gives a draft its name, with all of its content at once, and never in place of another file: false when one is there
 * already. The draft stays. Throws what the disk says.
 */
export function putInPlace(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!WITHOUT_LINKS.has(code)) throw error
  }
  // file systems without hard links: still never over another file, but a power cut could leave a part of it
  try {
    copyFileSync(draft, path, constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
