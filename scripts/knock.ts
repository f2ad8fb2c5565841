/** Whether a node's API port takes a connection: the cheapest sign of life there is. */
import { connect } from 'node:net'
import type { NodeDeclaration } from '../workflows/model/cluster.ts'

const APID_PORT = 50_000
const PATIENCE_MS = 1_000

export const knock = (node: NodeDeclaration, signal: AbortSignal): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: node.address, port: APID_PORT })
    const answer = (answers: boolean) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answers)
    }
    const onAbort = () => answer(false)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.setTimeout(PATIENCE_MS, () => answer(false))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
