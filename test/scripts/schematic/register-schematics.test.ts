import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { factoryUrl, registerSchematics } from '../../../scripts/schematic/register-schematics.ts'
import { unregistered } from '../../../scripts/schematic/registered.ts'
import { type Schematic, schematicOf } from '../../../scripts/schematic/schematic.ts'

type Register = (given: Schematic[], timeoutMs?: number) => Promise<string[]>
type Factory = { url: string; cacheFile: string; posts: string[]; register: Register }

const honest = (body: string, response: ServerResponse) => {
  response.writeHead(201, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: createHash('sha256').update(body).digest('hex') }))
}

/** An Image Factory on loopback that answers as told. */
async function withFactory(
  answer: (body: string, response: ServerResponse, request: IncomingMessage) => void,
  body: (factory: Factory) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'factory-'))
  const cacheFile = join(folder, 'schematics.json')
  const posts: string[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    request.on('end', () => {
      posts.push(`${request.method} ${request.url} ${text}`)
      answer(text, response, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const register = async (given: Schematic[], timeoutMs = 60_000) => {
    const done = await registerSchematics(given, { factory: url, cacheFile, timeoutMs })
    return done.ok ? done.value.posted : done.failure.map(({ reason, detail }) => `${reason}: ${detail}`)
  }
  try {
    await body({ url, cacheFile, posts, register })
  } finally {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  }
}

const schematic = (argument: string): Schematic => {
  const made = schematicOf({ customization: { extraKernelArgs: [argument] } })
  if (!made) throw new Error('no schematic')
  return made
}
const [a, b] = [schematic('a'), schematic('b')]

test('posts each distinct schematic once, and never again', () =>
  withFactory(honest, async ({ url, cacheFile, posts, register }) => {
    assert.equal(unregistered([a.id, b.id], { factory: url, cacheFile }), [a.id, b.id])
    assert.equal(await register([a, b, a]), [a.id, b.id])
    assert.equal([...posts].sort(), [`POST /schematics ${a.text}`, `POST /schematics ${b.text}`])
    assert.equal(await register([a, b]), [])
    assert.is(posts.length, 2)
    assert.equal(unregistered([a.id, b.id, 'c'], { factory: url, cacheFile }), ['c'])
    assert.is(statSync(cacheFile).mode & 0o777, 0o600)
  }))

test('posts again to another factory, and where its memory is lost or damaged', () =>
  withFactory(honest, async ({ cacheFile, posts, register }) => {
    writeFileSync(cacheFile, JSON.stringify({ 'https://elsewhere': [a.id] }))
    assert.equal(await register([a]), [a.id])
    assert.ok('https://elsewhere' in JSON.parse(readFileSync(cacheFile, 'utf8')))
    writeFileSync(cacheFile, '{')
    assert.equal(await register([a]), [a.id])
    assert.is(posts.length, 2)
  }))

const says = (status: number, text: string) => (_: string, response: ServerResponse) => {
  response.writeHead(status)
  response.end(text)
}

test('gives up on a factory that does not answer', () =>
  withFactory(
    () => {},
    async ({ register, url, cacheFile }) => {
      assert.equal(await register([a], 500), [
        `factory-unavailable: schematic ${a.id.slice(0, 12)}… at ${url}: it did not answer within 0.5 s`,
      ])
      assert.equal(unregistered([a.id], { factory: url, cacheFile }), [a.id])
    },
  ))

test('gives up on a factory that begins an answer and never ends it', () =>
  withFactory(
    (_, response) => {
      response.writeHead(201)
      response.write('{')
    },
    async ({ register }) => assert.match((await register([a], 500)).join(), /did not answer within 0\.5 s$/),
  ))

for (const [what, answer, expected] of [
  ['an error', says(500, 'no'), /: it answered 500 Internal Server Error$/],
  ['garbage', says(201, '<html>'), /: its answer can not be read$/],
  ['no id', says(201, '{}'), /: its answer can not be read$/],
  ['nothing', says(201, ''), /: its answer can not be read$/],
  ['another id', says(201, JSON.stringify({ id: b.id })), new RegExp(`: it calls it ${b.id}$`)],
] as const) {
  test(`fails when the factory answers ${what}, and asks again the next time`, () =>
    withFactory(answer, async ({ register, posts }) => {
      for (const _ of [1, 2]) assert.match((await register([a])).join(), expected)
      assert.is(posts.length, 2)
    }))
}

test('remembers those that were taken when another one was not', () =>
  withFactory(
    (body, response) => (body === a.text ? honest(body, response) : says(500, '')(body, response)),
    async ({ register, url, cacheFile }) => {
      assert.is((await register([a, b])).length, 1)
      assert.equal(unregistered([a.id, b.id], { factory: url, cacheFile }), [b.id])
    },
  ))

test('says so when there is no factory', async () => {
  const done = await registerSchematics([a], { factory: 'http://127.0.0.1:1', cacheFile: '/nowhere', timeoutMs: 500 })
  assert.ok(!done.ok)
  assert.match(done.failure[0]?.detail ?? '', /at http:\/\/127\.0\.0\.1:1: /)
})

test('takes a host for an address with https', () => {
  assert.is(factoryUrl('factory.example.org'), 'https://factory.example.org')
  assert.is(factoryUrl('http://127.0.0.1:8080/'), 'http://127.0.0.1:8080')
})

test.run()
