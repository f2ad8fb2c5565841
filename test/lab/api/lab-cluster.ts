import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { serveNodes } from '../../../lab/api/serve-nodes.ts'
import type { FakeNode } from './fake-node.ts'
import { testPki } from './test-pki.ts'

const run = promisify(execFile)

/** What talosctl said. */
export type Said = { code: number; stdout: string; stderr: string }

/** A talosctl that runs until it is stopped. */
export type Running = {
  /** resolves with everything it said on stdout once `wanted` matches it; fails when it ends before that, or after 15 s */
  says(wanted: RegExp): Promise<string>
  stop(): void
}

/** Fake nodes, served, with the real talosctl pointed at the first of them unless argv has its own `-e`. */
export type LabCluster = {
  talosctl(...argv: string[]): Promise<Said>
  talosctlAs(role: string, ...argv: string[]): Promise<Said>
  /** starts a talosctl that stays, like `--watch`; close() ends it */
  start(...argv: string[]): Running
  close(): Promise<void>
}

/** Serves `nodes` under the PKI of this test process. */
export async function serveLabCluster(nodes: readonly FakeNode[]): Promise<LabCluster> {
  const { dir, talosctlPath, authority, talosconfigFor } = await testPki()
  const env = { HOME: dir }
  const aim = (talosconfig: string, argv: readonly string[]): string[] => {
    const endpoint = argv.includes('-e') ? [] : ['-e', nodes[0]?.address ?? '']
    return ['--talosconfig', talosconfig, ...endpoint, ...argv]
  }
  const talosctlAs = async (role: string, ...argv: string[]): Promise<Said> => {
    try {
      const { stdout, stderr } = await run(talosctlPath, aim(await talosconfigFor(role), argv), {
        timeout: 30_000,
        env,
      })
      return { code: 0, stdout, stderr }
    } catch (failure) {
      const { code, stdout, stderr } = failure as { code: unknown; stdout: string; stderr: string }
      return { code: typeof code === 'number' ? code : -1, stdout, stderr }
    }
  }
  const running = new Set<ChildProcess>()
  const adminConfig = await talosconfigFor('os:admin')
  const served = await serveNodes({ nodes, authority })
  return {
    talosctl: (...argv) => talosctlAs('os:admin', ...argv),
    talosctlAs,
    start(...argv) {
      const child = spawn(talosctlPath, aim(adminConfig, argv), { env, stdio: ['ignore', 'pipe', 'ignore'] })
      running.add(child)
      let stdout = ''
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString()
      })
      return {
        says: (wanted) =>
          new Promise((resolve, reject) => {
            const fail = (): void => reject(new Error(`did not say ${wanted}: ${stdout}`))
            const deadline = setTimeout(fail, 15_000)
            const look = (): void => {
              if (!wanted.test(stdout)) return
              clearTimeout(deadline)
              resolve(stdout)
            }
            look()
            child.stdout.on('data', look)
            child.on('exit', fail)
          }),
        stop: () => child.kill(),
      }
    },
    async close() {
      for (const child of running) child.kill('SIGKILL')
      await served.close()
    },
  }
}
