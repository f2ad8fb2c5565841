import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createForeignAuthority, issueNodeCertificate } from '../../../lab/api/certificates.ts'
import { knock } from '../../../scripts/cluster/knock.ts'
import { waitsInMaintenance } from '../../../scripts/cluster/waits-in-maintenance.ts'

const test = suite('a knock')

const address = '127.0.0.1'
const never = new AbortController().signal
const authority = createForeignAuthority()

/** What is answered at a port of `server`, while it listens. */
async function at<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  const visitors = new Set<Socket>()
  server.on('connection', (socket) => visitors.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const bound = server.address()
  try {
    return await use(bound === null || typeof bound === 'string' ? 0 : bound.port)
  } finally {
    for (const visitor of visitors) visitor.destroy()
    server.close()
  }
}
const served = async (name: string, more: object = {}) => {
  const { crt: cert, key } = await issueNodeCertificate(await authority, { name, address })
  return createTls({ cert, key, ALPNProtocols: ['h2'], ...more })
}
const answers = (server: Server) => at(server, (port) => knock({ address, port }, never))

test('is answered by an API that wants a certificate which nobody shows', async () => {
  const { crt: ca } = await authority
  assert.ok(await answers(await served('k8s-1', { requestCert: true, rejectUnauthorized: true, ca })))
  assert.ok(
    await answers(await served('k8s-1', { maxVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: true, ca })),
  )
})

test('is not answered by who takes the connection and says nothing, nor by a proxy that resets it', async () => {
  assert.not(await answers(createServer(() => {})))
  assert.not(await answers(createServer((socket) => socket.resetAndDestroy())))
  assert.not(await answers(createServer((socket) => socket.end())))
})

test('is not answered where nothing listens', async () => {
  const free = await at(createServer(), async (port) => port)
  assert.not(await knock({ address, port: free }, never))
  assert.not(await knock({ address, port: free }, AbortSignal.abort()))
})

test('is not answered at a port that is none', async () => {
  assert.not(await knock({ address, port: 500_000 }, never))
})

test('tells a machine that waits in maintenance by the name in its certificate', async () => {
  const waits = await served('maintenance-service.talos.dev')
  assert.ok(await at(waits, (port) => waitsInMaintenance({ address, port }, never)))
  assert.not(await at(await served('k8s-1'), (port) => waitsInMaintenance({ address, port }, never)))
})

test.run()
