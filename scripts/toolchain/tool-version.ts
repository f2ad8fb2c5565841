import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { open, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from '../disk/make-folder.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { toolCache } from './tool-cache.ts'
import type { Tool } from './tool-table.ts'

const versionTimeoutMs = 20_000

/**
 * The version that the program at `path` says it is, without a leading v; undefined when it does not start or says
 * nothing that looks like one. Remembered by path, time and size, because talosctl takes 0.1 s and more to say it.
 */
export async function toolVersion(tool: Tool, path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const record = await versionRecord(tool, path, env)
  const remembered = record && (await readFile(record, 'utf8').catch(() => undefined))
  if (remembered) return remembered
  const version = await askVersion(tool, path, env)
  if (version && record) remember(record, version)
  return version
}

async function askVersion(tool: Tool, path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // one that does not end when it is asked to, ends all the same, and not later than we do
  const options = { env, timeout: versionTimeoutMs, killSignal: 'SIGKILL' } as const
  const asked = promisify(execFile)(path, [...tool.versionArgv], options)
  const end = () => void asked.child.kill('SIGKILL')
  process.once('exit', end)
  try {
    return tool.versionPattern.exec((await asked).stdout)?.[1]
  } catch {
    return undefined
  } finally {
    process.off('exit', end)
  }
}

/** Undefined where the file does not decide the version: version managers put shims on PATH that look further. */
async function versionRecord(tool: Tool, path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // a program may be there to be run, and not to be read
  return await recordOf(tool, path, env).catch(() => undefined)
}

async function recordOf(tool: Tool, path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = await realpath(path)
  const named = basename(file)
  if ((named !== tool.program && named !== tool.name) || (await isScript(file))) return undefined
  const { mtimeMs, size } = await stat(file)
  const key = createHash('sha256').update([file, mtimeMs, size].join('\0')).digest('hex').slice(0, 16)
  return join(toolCache(env), 'versions', `${tool.program}-${key}`)
}

async function isScript(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return buffer.toString('latin1') === '#!'
  } finally {
    await handle.close()
  }
}

function remember(record: string, version: string): void {
  try {
    makeFolder(dirname(record))
    replaceFile(record, version, 0o644)
  } catch {
    // A home folder that cannot be written costs the time of asking again, nothing else.
  }
}
