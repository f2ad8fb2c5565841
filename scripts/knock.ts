/**
 * Whether an API greets who connects: the cheapest sign of life there is, and no process. A connection alone is none: the
 * kernel of a machine that hangs takes it, and so does a proxy that resets it a moment later. Half a handshake of TLS tells
 * them apart, and shows nobody a certificate of ours.
 */
import { connect } from 'node:tls'

const APID_PORT = 50_000
const PATIENCE_MS = 1_000

/** Where a node or an endpoint listens; the port of apid where none is named. */
export type Doorbell = { address: string; port?: number }

export type Knock = (at: Doorbell, signal: AbortSignal) => Promise<boolean>

export const knock: Knock = ({ address, port = APID_PORT }, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(false)
    // nothing is said to whoever is there, so nobody has to prove who it is
    const socket = connect({ host: address, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    const answer = (answers: boolean) => {
      clearTimeout(late)
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answers)
    }
    const onAbort = () => answer(false)
    const late = setTimeout(() => answer(false), PATIENCE_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('secureConnect', () => answer(true))
    // an alert is an answer: somebody there speaks TLS
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code === 'EPROTO' || code?.startsWith('ERR_SSL') === true),
    )
  })
