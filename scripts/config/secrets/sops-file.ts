import { isDeepStrictEqual } from 'node:util'
import type { YamlPath, YamlSource } from '../../../workflows/model/declaration/yaml-source.ts'
import { list, map, texts } from '../../../workflows/model/foreign-json.ts'
import type { Problem } from '../../../workflows/model/problem.ts'

/** What can be told of a file that SOPS has encrypted, or should have, without a key. */
export type SopsFile = {
  encrypted: boolean
  /** age recipients that it was encrypted for */
  recipients: string[]
  /** PGP, a cloud's KMS or Vault opens it as well */
  otherKeys: boolean
  /** values that anybody can read, by key and place; the values themselves are not in here */
  plain: Problem[]
  /** why they are plain: `encrypted_regex is ^(data|stringData)$` */
  partly?: string
}

const CIPHERTEXT = /^ENC\[AES256_GCM,data:[\s\S]*,iv:[\s\S]*,tag:[\s\S]*,type:\w+\]$/
const OTHER_KEYS = ['pgp', 'kms', 'gcp_kms', 'hckms', 'azure_kv', 'hc_vault']
const PARTLY = ['encrypted_regex', 'encrypted_suffix', 'unencrypted_regex', 'unencrypted_suffix']

/** Reads it from its YAML. What SOPS never encrypts (null, an empty string) hides nothing. */
export function sopsFile(source: YamlSource): SopsFile {
  const { sops, ...rest } = (source.value ?? {}) as Record<string, unknown>
  const metadata = map(sops)
  const groups = [metadata, ...list(metadata.key_groups)]
  // the default of SOPS itself, written into every file that has no other
  const key = PARTLY.find(
    (name) => metadata[name] && !isDeepStrictEqual([name, metadata[name]], ['unencrypted_suffix', '_unencrypted']),
  )
  return {
    encrypted: typeof sops === 'object' && sops !== null,
    recipients: groups.flatMap((group) => texts(list(group.age).map(({ recipient }) => recipient))),
    otherKeys: groups.some((group) => OTHER_KEYS.some((name) => list(group[name]).length > 0)),
    plain: plainLeaves(rest).map((path) => source.keyProblem(keyPath(path), `${path.join('.')} is not encrypted`)),
    ...(key !== undefined && { partly: `${key} is ${String(metadata[key])}` }),
  }
}

/** Items of lists have no key of their own. */
const keyPath = (path: YamlPath): YamlPath => path.slice(0, path.findLastIndex((key) => typeof key === 'string') + 1)

function plainLeaves(value: unknown, path: YamlPath = []): YamlPath[] {
  if (value === null || value === undefined || value === '') return []
  if (Array.isArray(value)) return value.flatMap((item, index) => plainLeaves(item, [...path, index]))
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([key, item]) => plainLeaves(item, [...path, key]))
  return typeof value === 'string' && CIPHERTEXT.test(value) ? [] : [path]
}
