import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Fault, FaultRequest } from './fault-board.ts'
import type { NodeState, Reachability } from './lab-node.ts'

/** What the control socket understands: one JSON object on a line, answered by one. */
export type ControlRequest =
  | { verb: 'status' }
  | { verb: 'inject'; fault: FaultRequest }
  | { verb: 'cure'; name?: string | undefined; node?: string | undefined }
  | { verb: 'stop' }

/** One node as `lab status` shows it. */
export type NodeReport = Pick<
  NodeState,
  'stage' | 'ready' | 'version' | 'bootId' | 'slots' | 'runningSlot' | 'defaultSlot'
> & {
  name: string
  address: string
  role: 'controlplane' | 'worker'
  reachability: Reachability
  etcd?: { pid: number | undefined; healthy: boolean }
  /** its Node as the API server has it; absent without Kubernetes, or before it has registered */
  kubernetes?: KubeNodeReport
}

export type KubeNodeReport = { ready: boolean; cordoned: boolean; pods: number }

export type ControlReply = {
  error?: string
  pid?: number
  /** true from the moment that all nodes were ready for the first time */
  up?: boolean
  speed?: number
  nodes?: NodeReport[]
  faults?: { inForce: readonly Fault[]; waiting: readonly Fault[] }
  cured?: number
}

/** Answers requests on a unix socket that only its owner may use. */
export async function serveControl(
  path: string,
  handle: (request: ControlRequest) => Promise<ControlReply>,
): Promise<{ close(): void }> {
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket }).once('line', async (line) => {
      const reply = await Promise.resolve()
        .then(() => handle(JSON.parse(line) as ControlRequest))
        .catch((error) => ({ error: error instanceof Error ? error.message : String(error) }))
      socket.end(JSON.stringify(reply) + '\n')
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  chmodSync(path, 0o600)
  return { close: () => server.close() }
}

/** Asks the lab; undefined when nobody answers there. */
export function askLab(path: string, request: ControlRequest, timeoutMs = 20_000): Promise<ControlReply | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.on('error', () => resolve(undefined))
    socket.on('close', () => resolve(undefined))
    socket.on('connect', () => socket.write(JSON.stringify(request) + '\n'))
    createInterface({ input: socket })
      .on('error', () => resolve(undefined))
      .once('line', (line) => {
        resolve(JSON.parse(line) as ControlReply)
        socket.destroy()
      })
  })
}
