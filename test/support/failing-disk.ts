/** A disk that refuses: what this process asks of its file system fails from some call on, in the words of the system. */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const CHANGES_BY_PATH = ['mkdirSync', 'mkdtempSync', 'writeFileSync', 'renameSync', 'linkSync', 'symlinkSync'] as const
const CHANGES_BY_NUMBER = ['writeSync', 'fsyncSync', 'ftruncateSync'] as const
const READS = ['readFileSync', 'readdirSync'] as const

/** What nobody can read either; the others refuse changes only. */
const REFUSES_READS: ReadonlySet<string> = new Set(['EACCES', 'EMFILE', 'ENFILE', 'EIO'])

export type Refusal = {
  code: string
  /** number of the call that is refused, from 1 */
  at: number
  /** the disk is well again after it */
  once?: boolean
  /** calls about other files go through */
  below: string
}

type Call = (...args: unknown[]) => unknown

/** Carries out `body` on such a disk; tells whether anything was refused. */
export async function onFailingDisk<T>(
  { code, at, once = false, below }: Refusal,
  body: () => T | Promise<T>,
): Promise<{ value: T; refused: boolean }> {
  const real = fs as unknown as Record<string, Call>
  const before = new Map<string, Call>()
  const open = new Set<unknown>()
  let calls = 0
  let refused = false
  const refuse = (name: string, path?: string) => {
    calls++
    if (once ? calls !== at : calls < at) return
    refused = true
    const syscall = name.replace(/Sync$/, '')
    const said = `${code}: refused by a test, ${syscall}${path === undefined ? '' : ` '${path}'`}`
    throw Object.assign(new Error(said), { code, syscall, errno: -1, ...(path === undefined ? {} : { path }) })
  }
  const replace = (name: string, call: (original: Call, args: unknown[]) => unknown) => {
    const original = real[name] as Call
    before.set(name, original)
    real[name] = (...args) => call(original, args)
  }
  const isBelow = (path: unknown): path is string => typeof path === 'string' && path.startsWith(below)
  const byPath = (name: string) =>
    replace(name, (original, args) => {
      if (isBelow(args[0])) refuse(name, args[0])
      return original(...args)
    })
  for (const name of CHANGES_BY_PATH) byPath(name)
  if (REFUSES_READS.has(code)) for (const name of READS) byPath(name)
  for (const name of CHANGES_BY_NUMBER)
    replace(name, (original, args) => {
      if (open.has(args[0])) refuse(name)
      return original(...args)
    })
  replace('openSync', (original, args) => {
    if (!isBelow(args[0])) return original(...args)
    if (args[1] !== 'r' || REFUSES_READS.has(code)) refuse('openSync', args[0])
    const number = original(...args)
    open.add(number)
    return number
  })
  replace('closeSync', (original, args) => {
    open.delete(args[0])
    return original(...args)
  })
  syncBuiltinESMExports()
  try {
    return { value: await body(), refused }
  } finally {
    for (const [name, original] of before) real[name] = original
    syncBuiltinESMExports()
  }
}
