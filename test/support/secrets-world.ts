/** A person's machine in a temporary folder: a home, a tree that is a git repository, and tools that record their argv. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SecretTools } from '../../scripts/config/secrets/secret-tools.ts'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { type ToolName, toolTable } from '../../scripts/toolchain/tool-table.ts'

const TOOLS = [
  'sops',
  'talhelper',
  'age-keygen',
  'talosctl-1.13',
  'talosctl-1.14',
] as const satisfies readonly ToolName[]

export type Said = { code: number | null; stdout: string; stderr: string }

export type SecretsWorld = {
  home: string
  /** what --dir names; a git repository */
  dir: string
  env: NodeJS.ProcessEnv
  tools: SecretTools
  /** runs a tool, or any program, with the world's environment; throws where it fails */
  sh(tool: ToolName | 'git', argv: readonly string[], input?: string): string
  write(path: string, text: string, mode?: number): string
  /** `workflows/init.ts --dir <dir>` as a process */
  init(...flags: string[]): Said
  /** what a person sees, with the folders of this world and public keys by name */
  named(text: string): string
  /** argv of every tool so far, one a line, with NUL between words */
  recorded(): string
  /** every file of the world but git's own and what records the tools */
  files(): { path: string; text: string; mode: number }[]
  remove(): void
}

/**
 * Needs the tools, which are built when they are missing. `like` is a world whose home and tree it begins with: new secrets
 * take seconds.
 */
export async function secretsWorld({
  repository = true,
  like,
}: {
  repository?: boolean
  like?: SecretsWorld
} = {}): Promise<SecretsWorld> {
  const root = mkdtempSync(join(tmpdir(), 'secrets-'))
  const [home, dir, bin, log] = ['home', 'tree', 'bin', 'argv.log'].map((name) => join(root, name)) as [
    string,
    string,
    string,
    string,
  ]
  for (const folder of [home, dir, bin]) mkdirSync(folder)
  const record = (name: string, real: string, shownAs = name): string => {
    const path = join(bin, name)
    writeFileSync(path, `#!/bin/sh\nprintf '%s\\0' ${shownAs} "$@" >> ${log}\necho >> ${log}\nexec ${real} "$@"\n`)
    chmodSync(path, 0o755)
    return path
  }
  const git = spawnSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).stdout.trim()
  const paths: Record<string, string> = { git: record('git', git) }
  for (const name of TOOLS) {
    const tool = await resolveTool(name)
    if (!tool.found) throw new Error(tool.detail)
    paths[name] = record(name, tool.path, toolTable[name].program)
  }
  const env: NodeJS.ProcessEnv = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: home,
    NODE_OPTIONS: process.env.NODE_OPTIONS,
    ...Object.fromEntries(TOOLS.map((name) => [toolTable[name].override, paths[name]])),
  }
  const sh = (tool: ToolName | 'git', argv: readonly string[], input?: string): string => {
    const done = spawnSync(paths[tool] ?? tool, argv, {
      env,
      cwd: dir,
      encoding: 'utf8',
      ...(input !== undefined && { input }),
    })
    if (done.status !== 0) throw new Error(`${tool}: ${done.stderr}`)
    return done.stdout
  }
  if (like !== undefined) {
    cpSync(like.home, home, { recursive: true })
    cpSync(like.dir, dir, { recursive: true })
  } else if (repository) sh('git', ['init', '-q'])
  return {
    home,
    dir,
    env,
    tools: { paths, env },
    sh,
    write(path, text, mode = 0o644) {
      const file = join(dir, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text, { mode })
      chmodSync(file, mode)
      return file
    },
    init(...flags) {
      const argv = ['--import', 'tsx', 'workflows/init.ts', '--cluster', '7', '--dir', dir, ...flags]
      const cwd = join(import.meta.dirname, '..', '..')
      const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd, env, encoding: 'utf8' })
      return { code: status, stdout, stderr }
    },
    named: (text) =>
      text
        .replaceAll(home, '<home>')
        .replaceAll(dir, '<dir>')
        .replaceAll(/age1[a-z0-9]{50,}/g, '<age1>'),
    recorded: () => readFileSync(log, 'utf8'),
    files: () =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !path.includes('/.git/') && !path.startsWith(bin) && path !== log)
        .map((path) => ({ path, text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 })),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
