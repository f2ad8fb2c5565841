import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Run } from '../run.ts'
import { howEnded, isDone } from '../tools/ended.ts'
import { talhelperCommands } from '../tools/talhelper.ts'

/** JSON Schema of talconfig.yaml, 2020-12. */
export type TalconfigSchema = { $defs: Record<string, { properties?: Record<string, unknown> }> }

/**
 * What the schema gets wrong: it is made of Go's types, and not of how these read YAML. A type that is a number to Go and
 * a word in YAML, a size that may have a unit, a list that is described as one of its items.
 */
const CORRECTIONS: readonly [of: string, property: string, schema: unknown][] = [
  ['UserVolume', 'volumeType', { type: 'string', enum: ['partition', 'disk', 'directory'] }],
  ['Customization', 'bootloader', { type: 'string' }],
  ['EncryptionSpec', 'provider', { type: 'string', enum: ['luks2'] }],
  ['DiskPartition', 'size', { type: ['integer', 'string'] }],
  ['CustomizationWrapper', 'meta', { type: 'array', items: { $ref: '#/$defs/MetaValue' } }],
]

/**
 * The schema of the talhelper that `run` starts, corrected. It takes talhelper less time to write it than a cache would
 * take trouble. Fails with `command-failed`.
 */
export async function talconfigSchema(run: Run): Promise<Result<TalconfigSchema>> {
  let folder: string | undefined
  try {
    // not to /dev/stdout, which can not be opened where it is a socket
    folder = await mkdtemp(join(tmpdir(), 'talconfig-schema-'))
    const file = join(folder, 'talconfig.json')
    const writing = run(talhelperCommands.genSchema(file))
    // who holds something against the schema wants ajv, which takes as long to load as talhelper to write
    await import('ajv/dist/2020.js')
    const written = await writing
    if (!isDone(written))
      return {
        ok: false,
        failure: failure('command-failed', {
          detail: `talhelper genschema: ${written.stderr.trim() || howEnded(written)}`,
        }),
      }
    return { ok: true, value: corrected(JSON.parse(await readFile(file, 'utf8')) as TalconfigSchema) }
  } catch (error) {
    return unusable(error)
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

function corrected(schema: TalconfigSchema): TalconfigSchema {
  for (const [of, property, right] of CORRECTIONS) {
    const { properties } = schema.$defs[of] ?? {}
    if (properties && property in properties) properties[property] = right
  }
  return schema
}

const unusable = (error: unknown): { ok: false; failure: Failure } => ({
  ok: false,
  failure: failure('command-failed', { detail: `talhelper genschema wrote no schema: ${(error as Error).message}` }),
})
