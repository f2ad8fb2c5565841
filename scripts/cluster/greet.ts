import { connect, type TLSSocket } from 'node:tls'
import { onAbort } from '../engine/on-abort.ts'

const APID_PORT = 50_000
const PATIENCE_MS = 1_000

/** Where a node or an endpoint listens; the port of apid where none is named. */
export type Doorbell = { address: string; port?: number }

/**
 * Half a handshake of TLS, without a process, and without a certificate of ours: the common name of whoever is there, empty
 * where it is not told, and undefined where nobody is. A connection alone would be no sign of life: the kernel of a machine
 * that hangs takes it, and so does a proxy that resets it a moment later.
 */
export const greet = ({ address, port = APID_PORT }: Doorbell, signal: AbortSignal): Promise<string | undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    // nothing is said to whoever is there, so nobody has to prove who it is
    let socket: TLSSocket
    try {
      socket = connect({ host: address, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    } catch {
      // nobody can listen at a port that is none
      return resolve(undefined)
    }
    const answer = (name: string | undefined) => {
      clearTimeout(late)
      hearNoMore()
      socket.destroy()
      resolve(name)
    }
    const late = setTimeout(() => answer(undefined), PATIENCE_MS)
    const hearNoMore = onAbort(signal, () => answer(undefined))
    socket.once('secureConnect', () => answer([socket.getPeerCertificate()?.subject?.CN ?? ''].flat()[0]))
    // an alert is an answer: somebody there speaks TLS
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code === 'EPROTO' || code?.startsWith('ERR_SSL') ? '' : undefined),
    )
  })
