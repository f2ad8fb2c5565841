import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import type { PemPair } from '../../../lab/api/certificates.ts'
import { serveNodes } from '../../../lab/api/serve-nodes.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import type { FakeNode } from './fake-node.ts'

const run = promisify(execFile)

/** What talosctl said. */
export type Said = { code: number; stdout: string; stderr: string }

/** A talosctl that runs until it is stopped. */
export type Running = {
  /** resolves with everything it said on stdout once `wanted` matches it; fails when it ends before that, or after 15 s */
  says(wanted: RegExp): Promise<string>
  stop(): void
}

/** Fake nodes, served, with the real talosctl pointed at them; roles other than os:admin have their own talosconfig. */
export type LabCluster = {
  talosctl(...argv: string[]): Promise<Said>
  talosctlAs(role: string, ...argv: string[]): Promise<Said>
  /** starts a talosctl that stays, like `--watch`; the cluster's close() ends it */
  start(...argv: string[]): Running
  authority: PemPair
  talosconfig: string
  close(): Promise<void>
}

/** Makes secrets with talosctl, serves `nodes`, and gives back a talosctl whose endpoint is the first of them. */
export async function serveLabCluster(nodes: readonly FakeNode[]): Promise<LabCluster> {
  const tool = await resolveTool('talosctl')
  if (!tool.found) throw new Error(`${tool.detail} (${tool.hint})`)
  const talosctlPath = tool.path
  const dir = await mkdtemp(join(tmpdir(), 'lab-api-'))
  const secretsPath = join(dir, 'secrets.yaml')
  const talosctl = async (...argv: string[]): Promise<Said> => {
    try {
      const { stdout, stderr } = await run(talosctlPath, argv, { timeout: 20_000, env: { HOME: dir } })
      return { code: 0, stdout, stderr }
    } catch (failure) {
      const { code, stdout, stderr } = failure as { code: unknown; stdout: string; stderr: string }
      return { code: typeof code === 'number' ? code : -1, stdout, stderr }
    }
  }
  await talosctl('gen', 'secrets', '-o', secretsPath)
  const secrets = parse(await readFile(secretsPath, 'utf8')) as { certs: { os: PemPair } }
  const pem = (base64: string): string => Buffer.from(base64, 'base64').toString()
  const authority = { crt: pem(secrets.certs.os.crt), key: pem(secrets.certs.os.key) }
  const configOf = async (role: string): Promise<string> => {
    const path = join(dir, `${role.replaceAll(':', '-')}.talosconfig`)
    if (existsSync(path)) return path
    const base = join(dir, role.replaceAll(':', '-'))
    await writeFile(join(dir, 'ca.crt'), authority.crt)
    await writeFile(join(dir, 'ca.key'), authority.key, { mode: 0o600 })
    await talosctl('gen', 'key', '--name', base)
    await talosctl('gen', 'csr', '--key', `${base}.key`, '--ip', '127.0.0.1', '--roles', role)
    await talosctl('gen', 'crt', '--ca', join(dir, 'ca'), '--csr', `${base}.csr`, '--name', base, '--hours', '1')
    const encoded = async (file: string): Promise<string> => (await readFile(file)).toString('base64')
    const context = {
      endpoints: [nodes[0]?.address],
      ca: await encoded(join(dir, 'ca.crt')),
      crt: await encoded(`${base}.crt`),
      key: await encoded(`${base}.key`),
    }
    await writeFile(path, stringify({ context: 'lab', contexts: { lab: context } }), { mode: 0o600 })
    return path
  }
  const served = await serveNodes({ nodes, authority })
  const talosconfig = await configOf('os:admin')
  const running = new Set<ChildProcess>()
  const start = (...argv: string[]): Running => {
    const child = spawn(talosctlPath, ['--talosconfig', talosconfig, ...argv], { env: { HOME: dir } })
    running.add(child)
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    return {
      says: (wanted) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (wanted.test(stdout)) resolve(stdout)
          }
          look()
          child.stdout.on('data', look)
          const fail = (): void => reject(new Error(`did not say ${wanted}: ${stdout}`))
          child.on('exit', fail)
          setTimeout(fail, 15_000).unref()
        }),
      stop: () => child.kill(),
    }
  }
  return {
    authority,
    talosconfig,
    talosctl: (...argv) => talosctl('--talosconfig', talosconfig, ...argv),
    talosctlAs: async (role, ...argv) => talosctl('--talosconfig', await configOf(role), ...argv),
    start,
    async close() {
      for (const child of running) child.kill('SIGKILL')
      await served.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
