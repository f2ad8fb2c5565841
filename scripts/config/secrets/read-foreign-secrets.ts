import { parseAllDocuments } from 'yaml'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { failureOfDisk } from '../../disk/on-disk.ts'
import { readText } from '../../disk/read-text.ts'
import { createRun } from '../../run.ts'
import { isDone } from '../../tools/ended.ts'
import { sopsCommands, sopsMeaning } from '../../tools/sops.ts'
import { talhelperCommands } from '../../tools/talhelper.ts'
import { readBundle } from './bundle.ts'
import type { SecretTools } from './secret-tools.ts'

export type ForeignSecrets = {
  /** the plain text of a bundle, in memory on its way to sops */
  text: string
  /** which cluster it is of */
  caFingerprint: string
  /** the file that it came from can be read by anybody who has it */
  plain: boolean
}

/**
 * The secrets of an existing cluster: from a secrets.yaml (`talosctl gen secrets`, Terraform, talhelper; SOPS may have
 * encrypted it) or from the machine configuration of a control plane. A worker does not know them all. `file` is
 * absolute. Fails with what is wrong by key, never by value.
 */
export async function readForeignSecrets(file: string, tools: SecretTools): Promise<Result<ForeignSecrets, Failure[]>> {
  const wrong = (detail: string, hint?: string): Result<never, Failure[]> => ({
    ok: false,
    failure: [failure('declaration-invalid', { detail: `${file}: ${detail}`, hint })],
  })
  let text: string
  try {
    text = readText(file)
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const unread = isMissing ? undefined : failureOfDisk(error, 'declaration-invalid')
    return unread ? { ok: false, failure: [unread] } : wrong('it is not there')
  }
  const run = createRun(tools)
  const contents = mapsIn(text)
  const config = contents?.find((map) => 'machine' in map)
  if (contents === undefined) return wrong('it is no YAML')
  const encrypted = contents.some((map) => 'sops' in map)
  if (encrypted) {
    const decrypted = await run(sopsCommands.decrypt({ file }))
    if (!isDone(decrypted)) return wrong(sopsMeaning(decrypted), `sops decrypt ${shellWord(file)} > /dev/null`)
    text = decrypted.stdout
  } else if (config !== undefined) {
    const { type } = config.machine as { type?: unknown }
    if (type === 'worker')
      return wrong("a worker's configuration does not hold the cluster's CAs", 'name that of a control plane')
    const taken = await run(talhelperCommands.genSecretFrom(file))
    if (!isDone(taken))
      return wrong(
        'talhelper can not take secrets out of it',
        `talosctl validate --mode metal --config ${shellWord(file)}`,
      )
    text = taken.stdout
  }
  const read = readBundle(text)
  if (!read.ok) return wrong(`it is no complete set of secrets: ${read.wrong.join(', ')}`)
  if (config !== undefined && !sameAuthorities(config, text))
    return wrong('talhelper made other CAs of it than it holds', 'report this with the versions of Talos and talhelper')
  return { ok: true, value: { text, caFingerprint: read.bundle.caFingerprint, plain: !encrypted } }
}

type YamlMap = Record<string, unknown>

function mapsIn(text: string): YamlMap[] | undefined {
  const documents = parseAllDocuments(text, { prettyErrors: false })
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return undefined
  return documents
    .map((document) => document.toJS() as unknown)
    .filter((value): value is YamlMap => typeof value === 'object' && value !== null && !Array.isArray(value))
}

/** The new cluster of a mistake here would be noticed only when the first node refuses its configuration. */
function sameAuthorities(config: YamlMap, bundle: string): boolean {
  const of = (owner: unknown) => (owner as { ca?: { crt?: unknown } } | undefined)?.ca?.crt
  const { certs } = (mapsIn(bundle)?.[0] ?? {}) as { certs?: { os?: { crt?: unknown }; k8s?: { crt?: unknown } } }
  const held = [of(config.machine), of(config.cluster)]
  return held.every((crt, index) => crt === undefined || crt === [certs?.os?.crt, certs?.k8s?.crt][index])
}
