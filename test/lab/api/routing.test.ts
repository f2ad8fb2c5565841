import { readFile } from 'node:fs/promises'
import * as grpc from '@grpc/grpc-js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { message } from '../../../lab/api/message.ts'
import { FakeNode } from './fake-node.ts'
import { freeNetwork } from './free-network.ts'
import { type LabCluster, serveLabCluster } from './lab-cluster.ts'
import { testPki } from './test-pki.ts'

type Context = { first: FakeNode; second: FakeNode; cluster: LabCluster; client: grpc.Client }
type Answers = { parts: Buffer[]; code: number; details: string }

const test = suite<Context>('routing')

test.before.each(async (context) => {
  context.first = new FakeNode('k8s-1', `${freeNetwork}.31`)
  context.second = new FakeNode('k8s-2', `${freeNetwork}.32`)
  context.cluster = await serveLabCluster([context.first, context.second])
  const { authority, talosconfigFor } = await testPki()
  const { contexts } = parse(await readFile(await talosconfigFor('os:admin'), 'utf8'))
  const pem = (base64: string): string => Buffer.from(base64, 'base64').toString()
  const key = pem(contexts.lab.key).replaceAll('ED25519 PRIVATE KEY', 'PRIVATE KEY')
  const credentials = grpc.credentials.createSsl(
    Buffer.from(authority.crt),
    Buffer.from(key),
    Buffer.from(pem(contexts.lab.crt)),
  )
  context.client = new grpc.Client(`${context.first.address}:50000`, credentials, {
    'grpc.ssl_target_name_override': context.first.name,
  })
})

test.after.each(async ({ client, cluster }) => {
  client.close()
  await cluster.close()
})

/** One call with raw routing headers; `until` ends a stream early. */
function call(
  client: grpc.Client,
  path: string,
  request: { type: string; fields: object },
  headers: Record<string, string[]>,
  until: (parts: Buffer[]) => boolean = () => false,
): Promise<Answers> {
  const metadata = new grpc.Metadata()
  for (const [name, values] of Object.entries(headers)) for (const value of values) metadata.add(name, value)
  const parts: Buffer[] = []
  const raw = (bytes: Buffer): Buffer => bytes
  const bytes = Buffer.from(message.encode(request.type, request.fields))
  const stream = client.makeServerStreamRequest(path, raw, raw, bytes, metadata)
  stream.on('data', (part: Buffer) => {
    parts.push(part)
    if (until(parts)) stream.cancel()
  })
  stream.on('error', () => undefined)
  return new Promise((resolve) => {
    stream.on('status', ({ code, details }: grpc.StatusObject) => resolve({ parts, code, details }))
  })
}

const empty = { type: 'google.protobuf.Empty', fields: {} }
const version = '/machine.MachineService/Version'
type Versions = {
  messages: { metadata: { hostname: string; error: string } | null; version: { tag: string } | null }[]
}
const versions = ({ parts }: Answers): Versions['messages'] =>
  message.decode<Versions>('machine.VersionResponse', Buffer.concat(parts)).messages

test('a single node answers unchanged, nodes answer with their names', async ({ client, first, second }) => {
  const single = versions(await call(client, version, empty, { node: [second.address] }))
  assert.equal(
    single.map(({ metadata }) => metadata),
    [null],
  )
  const many = versions(await call(client, version, empty, { nodes: [first.address, second.address] }))
  assert.equal(
    many.map(({ metadata }) => metadata?.hostname),
    [first.address, second.address],
  )
})

test('the dead among many answers with an error in the place of its answer', async ({ client, first, second }) => {
  first.setReach('answers')
  second.setReach('refuses')
  const [dead, alive] = versions(await call(client, version, empty, { nodes: [second.address, first.address] }))
  assert.match(
    dead?.metadata?.error ?? '',
    /^rpc error: code = Unavailable desc = connection error: desc = "transport: /,
  )
  assert.is(dead?.version, null)
  assert.is(alive?.version?.tag, 'v1.13.5')
})

test('resources, images and installations go to one node at a time', async ({ client, second }) => {
  const list = { type: 'cosi.resource.ListRequest', fields: {} }
  for (const path of ['/cosi.resource.State/List', '/machine.ImageService/Pull', '/machine.LifecycleService/Upgrade']) {
    const { code, details } = await call(client, path, list, { nodes: [second.address] })
    assert.is(code, grpc.status.INVALID_ARGUMENT)
    assert.is(details, `one-2-many proxying is not supported for method ${path}`)
  }
  assert.equal(second.requests, [])
})

test('two values of node are an error', async ({ client, first, second }) => {
  const { code, details } = await call(client, version, empty, { node: [first.address, second.address] })
  assert.is(code, grpc.status.INVALID_ARGUMENT)
  assert.is(details, 'node metadata must be single-valued')
})

test('a stream from many names the node in every message and ends with the error of the one that broke', async (context) => {
  const { client, first, second } = context
  type Line = { metadata: { hostname: string; error: string }; bytes: Buffer }
  const lines = (parts: Buffer[]): Line[] => parts.map((part) => message.decode<Line>('common.Data', part))
  const follow = { type: 'machine.DmesgRequest', fields: { follow: true } }
  let isBroken = false
  const { parts } = await call(
    client,
    '/machine.MachineService/Dmesg',
    follow,
    { nodes: [first.address, second.address] },
    (soFar) => {
      // both have said their first line
      if (soFar.length === 2 && !isBroken) {
        isBroken = true
        setImmediate(() => second.setReach('refuses'))
      }
      return soFar.length === 3
    },
  )
  const said = lines(parts)
  assert.equal(
    said
      .slice(0, 2)
      .map(({ metadata }) => metadata.hostname)
      .sort(),
    [first.address, second.address],
  )
  assert.is(said[2]?.metadata.hostname, second.address)
  assert.is(said[2]?.metadata.error, 'rpc error: code = Unavailable desc = error reading from server: EOF')
})

test('events of one actor leave out those of others', async ({ client, first }) => {
  const task = (actorId: string, name: string) =>
    first.emit({ type: 'runtime', actorId, event: { kind: 'task', task: name, action: 'START' } })
  task('a', 'one')
  task('b', 'two')
  task('a', 'three')
  const { parts } = await call(
    client,
    '/machine.MachineService/Events',
    { type: 'machine.EventsRequest', fields: { tail_events: -1, with_actor_id: 'a' } },
    {},
    (soFar) => soFar.length === 3,
  )
  const actors = parts.map((part) => message.decode<{ actor_id: string }>('machine.Event', part).actor_id)
  assert.equal(actors, ['a', 'a', 'a'], 'the hello and two events')
})

test('a method that the lab does not have is unimplemented, on either path', async ({ client, second }) => {
  for (const headers of [{}, { node: [second.address] }]) {
    const { code, details } = await call(client, '/machine.MachineService/Rollback', empty, headers)
    assert.is(code, grpc.status.UNIMPLEMENTED)
    assert.is(details, 'unknown method Rollback for service machine.MachineService')
  }
})

test.run()
