import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(import.meta.dirname, '..', '..', '..')

type Ended = { code: number | null; stdout: string; stderr: string }

/** The command as a person types it, beside a factory of ours that goes on answering. */
function register(dir: string, ...flags: string[]): Promise<Ended> {
  const argv = ['--import', 'tsx', 'workflows/register-schematics.ts', '--cluster', '9', '--dir', dir, ...flags]
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

const TALENV = `
cluster: {name: cluster-9, id: 9, endpoint: 'https://10.0.0.10:6443', talosVersion: v1.13.9, kubernetesVersion: v1.36.1}
nodes: [{hostname: a, ipAddress: 10.0.0.1, controlPlane: true, disk: /dev/sda}]
`

test('registers what was generated, each schematic once, and says so', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'register-'))
  const folder = join(dir, 'clusters', 'cluster-9')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'talenv.yaml'), TALENV)
  let posts = 0
  const server = createServer((request, response) => {
    posts++
    const hash = createHash('sha256')
    request.on('data', (part: Buffer) => hash.update(part))
    request.on('end', () => response.writeHead(201).end(JSON.stringify({ id: hash.digest('hex') })))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const factory = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const early = await register(dir, '--factory', factory)
    assert.is(early.code, 65)
    assert.match(early.stderr, /there is no .*talconfig\.rendered\.yaml .*gen-config\.ts --cluster 9/)

    const nodes = ['a', 'b', 'c'].map((name) => ({ hostname: name, controlPlane: true }))
    const talconfig = { nodes, controlPlane: { schematic: { customization: { extraKernelArgs: ['one'] } } } }
    writeFileSync(join(folder, 'talconfig.rendered.yaml'), JSON.stringify(talconfig))
    const dry = await register(dir, '--factory', factory, '--dry-run')
    assert.equal([dry.code, dry.stderr], [2, ''])
    assert.match(dry.stdout, /^[0-9a-f]{64} {2}would be registered at http:/)
    assert.is(posts, 0)

    const first = await register(dir, '--factory', factory)
    assert.equal([first.code, first.stderr], [0, ''])
    assert.match(first.stdout, /^[0-9a-f]{64} {2}registered at http:.*\n$/)
    const second = await register(dir, '--factory', factory, '--output', 'json')
    assert.equal(JSON.parse(second.stdout), {
      v: 1,
      cluster: 'cluster-9',
      factory,
      posted: [],
      known: [first.stdout.slice(0, 64)],
    })
    assert.is(posts, 1)

    server.closeAllConnections()
    server.close()
    const gone = await register(dir, '--factory', `${factory}/elsewhere`)
    assert.is(gone.code, 69)
    assert.match(gone.stderr, /^schematic [0-9a-f]{12}… at http:/)
  } finally {
    server.closeAllConnections()
    server.close()
    rmSync(dir, { recursive: true })
  }
})

test('takes the schematics of a talconfig.yaml that a person wrote from that very file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'register-'))
  try {
    const nodes = [{ hostname: 'a', ipAddress: '10.0.0.1', controlPlane: true, installDisk: '/dev/sda' }]
    const versions = { talosVersion: 'v1.13.9', kubernetesVersion: 'v1.36.1' }
    const talconfig = { clusterName: '9', endpoint: 'https://10.0.0.1:6443', ...versions, nodes }
    writeFileSync(join(dir, 'talconfig.yaml'), JSON.stringify(talconfig))
    const { code, stdout, stderr } = await register(dir, '--dry-run')
    assert.equal([code, stderr], [2, ''])
    assert.match(
      stdout,
      /^376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba {2}would be registered at https:/,
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.run()
