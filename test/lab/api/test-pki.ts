import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import type { PemPair } from '../../../lab/api/certificates.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'

const run = promisify(execFile)

/**
 * Secrets of a cluster and talosconfigs for it, all made by talosctl, in a folder that goes with the process. Making
 * them takes seconds, so that one serves all tests of a file.
 */
export type TestPki = {
  dir: string
  talosctlPath: string
  authority: PemPair
  /** path of a talosconfig without endpoints whose certificate carries `role` */
  talosconfigFor(role: string): Promise<string>
}

let made: Promise<TestPki> | undefined

/** The PKI of this test process. */
export const testPki = (): Promise<TestPki> => {
  made ??= make()
  return made
}

async function make(): Promise<TestPki> {
  const tool = await resolveTool('talosctl-1.13')
  if (!tool.found) throw new Error(`${tool.detail} (${tool.hint})`)
  const dir = mkdtempSync(join(tmpdir(), 'lab-api-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const gen = (...argv: string[]) => run(tool.path, ['gen', ...argv], { env: { HOME: dir } })
  await gen('secrets', '-o', join(dir, 'secrets.yaml'))
  const secrets = parse(await readFile(join(dir, 'secrets.yaml'), 'utf8')) as { certs: { os: PemPair } }
  const pem = (base64: string): string => Buffer.from(base64, 'base64').toString()
  const authority = { crt: pem(secrets.certs.os.crt), key: pem(secrets.certs.os.key) }
  await writeFile(join(dir, 'ca.crt'), authority.crt)
  await writeFile(join(dir, 'ca.key'), authority.key, { mode: 0o600 })
  const configs = new Map<string, Promise<string>>()
  const configure = async (role: string): Promise<string> => {
    const base = join(dir, role.replaceAll(':', '-'))
    await gen('key', '--name', base)
    await gen('csr', '--key', `${base}.key`, '--ip', '127.0.0.1', '--roles', role)
    await gen('crt', '--ca', join(dir, 'ca'), '--csr', `${base}.csr`, '--name', base, '--hours', '1')
    const encoded = async (file: string): Promise<string> => (await readFile(file)).toString('base64')
    const context = {
      ca: await encoded(join(dir, 'ca.crt')),
      crt: await encoded(`${base}.crt`),
      key: await encoded(`${base}.key`),
    }
    const path = `${base}.talosconfig`
    await writeFile(path, stringify({ context: 'lab', contexts: { lab: context } }), { mode: 0o600 })
    return path
  }
  return {
    dir,
    talosctlPath: tool.path,
    authority,
    talosconfigFor(role) {
      const config = configs.get(role) ?? configure(role)
      configs.set(role, config)
      return config
    },
  }
}
