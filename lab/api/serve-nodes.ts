import { X509Certificate } from 'node:crypto'
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { ApiError, type LabNode } from '../lab-node.ts'
import { accessRules } from './access-rules.ts'
import { Apid, type Backend, type Routing } from './apid.ts'
import { createForeignAuthority, issueNodeCertificate, type PemPair } from './certificates.ts'
import { type ClientIdentity, identifyClient } from './client-identity.ts'
import { apidDoorway, Door } from './door.ts'
import { Machined } from './machined.ts'
import { statusOf } from './status.ts'

const maxMessageBytes = 32 * 2 ** 20

/** What serves the Talos API of a cluster. */
export type ServedNodes = { close(): Promise<void> }

type Served = Backend & { tls: readonly TlsServer[]; grpc: grpc.Server }

/**
 * Serves the Talos API of every node on its own address, port 50000, until closed: mTLS from the cluster's OS authority
 * (`certs.os` of `talosctl gen secrets`, as PEM), apid's routing between the nodes, and what each node answers.
 * Follows each node's reachability at once. Fails with the error of listen() when an address cannot be used.
 */
export async function serveNodes(options: { nodes: readonly LabNode[]; authority: PemPair }): Promise<ServedNodes> {
  const { nodes, authority } = options
  const foreign = await createForeignAuthority()
  const served: Served[] = []
  const backends: Backend[] = []
  const close = async (): Promise<void> => {
    await Promise.all(
      served.map(async (node) => {
        await node.door.close()
        node.grpc.forceShutdown()
        for (const server of node.tls) server.close()
        node.machined.close()
      }),
    )
  }
  try {
    for (const node of nodes) {
      const machined = new Machined(node, nodes)
      const identities = new Map<string, ClientIdentity>()
      const own = await listen(await issueNodeCertificate(authority, node), authority, identities)
      const strangers = await listen(await issueNodeCertificate(foreign, node), authority, identities)
      const door = new Door(apidDoorway(node), { own: own.port, foreign: strangers.port })
      const apid = new Apid({ machined, door }, backends)
      const server = grpcServer(apid, door, identities)
      const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure())
      for (const tls of [own.server, strangers.server]) {
        tls.on('secureConnection', (socket) => injector.injectConnection(socket))
      }
      const entry = { machined, door, tls: [own.server, strangers.server], grpc: server }
      served.push(entry)
      backends.push(entry)
    }
    await Promise.all(served.map(({ door }) => door.open()))
  } catch (failure) {
    await close()
    throw failure
  }
  return { close }
}

/**
 * A TLS server on a free loopback port that lets everyone finish the handshake and writes down who came: node:tls
 * cannot send the alerts with which Go's server ends it, so a refused client hears of it in the status of its call.
 */
function listen(
  certificate: PemPair,
  authority: PemPair,
  identities: Map<string, ClientIdentity>,
): Promise<{ server: TlsServer; port: number }> {
  const certificateOfAuthority = new X509Certificate(authority.crt)
  const server = createServer({
    cert: certificate.crt,
    key: certificate.key,
    ca: authority.crt,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`
    const der = socket.getPeerCertificate().raw as Buffer | undefined
    identities.set(peer, identifyClient(der, certificateOfAuthority, new Date()))
    socket.on('close', () => identities.delete(peer))
    socket.on('error', () => socket.destroy())
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new Error('no port'))
      else resolve({ server, port: address.port })
    })
  })
}

const raw = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Every method that Talos has rules for, on raw bytes: apid passes messages on, it does not read them. */
function grpcServer(apid: Apid, door: Door, identities: ReadonlyMap<string, ClientIdentity>): grpc.Server {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
  })
  const handle = async (call: grpc.ServerWritableStream<Buffer, Uint8Array>): Promise<void> => {
    const hangUp = new AbortController()
    call.on('cancelled', () => hangUp.abort())
    call.on('close', () => hangUp.abort())
    const peer = call.getPeer()
    try {
      const identity = identities.get(peer)
      if (identity === undefined || identity.refusal !== undefined) {
        const alert = identity?.refusal ?? 'internal error'
        throw new ApiError(
          'UNAVAILABLE',
          `connection error: desc = "error reading server preface: remote error: tls: ${alert}"`,
        )
      }
      const caller = door.callerOf(Number(peer.split(':').pop()))
      const origin = { caller, roles: identity.roles }
      for await (const answer of apid.call(
        call.getPath(),
        call.request,
        routingOf(call.metadata),
        origin,
        hangUp.signal,
      )) {
        if (hangUp.signal.aborted) return
        if (!call.write(answer)) await drained(call, hangUp.signal)
      }
      call.end()
    } catch (failure) {
      const { code, message } = statusOf(failure)
      call.emit('error', { code, details: message })
    }
  }
  for (const path of Object.keys(accessRules))
    server.register(path, handle, raw, (bytes: Buffer) => bytes, 'serverStream')
  return server
}

/** node:http2 joins the values of a repeated header. */
const valuesOf = (metadata: grpc.Metadata, header: string): string[] =>
  metadata.get(header).flatMap((joined) => String(joined).split(', '))

const routingOf = (metadata: grpc.Metadata): Routing => ({
  node: valuesOf(metadata, 'node'),
  nodes: valuesOf(metadata, 'nodes'),
})

function drained(call: grpc.ServerWritableStream<Buffer, Uint8Array>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.on('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
