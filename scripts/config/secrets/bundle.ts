import { createHash, X509Certificate } from 'node:crypto'
import { readYaml } from '../../../workflows/model/declaration/yaml-source.ts'

/** What may be known of a cluster's secrets, once they were decrypted in memory. */
export type Bundle = {
  /** sha256 (hex) of the two CAs that everything of the cluster hangs on, Talos' and Kubernetes': which cluster it is */
  caFingerprint: string
  /** every value of eight letters and more, for redaction and for nothing else: never into a log, an event, a context */
  leaves: readonly string[]
}

/** A bundle, or what is wrong with it by key; values are never in there. */
export type ReadBundle = { ok: true; bundle: Bundle } | { ok: false; wrong: string[] }

/** All that Talos needs of a bundle (machinery's secrets.Bundle); which of the two disk keys is there differs. */
const NEEDED = [
  'cluster.id',
  'cluster.secret',
  'secrets.bootstraptoken',
  'trustdinfo.token',
  'certs.etcd.crt',
  'certs.etcd.key',
  'certs.k8s.crt',
  'certs.k8s.key',
  'certs.k8saggregator.crt',
  'certs.k8saggregator.key',
  'certs.k8sserviceaccount.key',
  'certs.os.crt',
  'certs.os.key',
] as const

/** talhelper refuses a bundle with any other key. */
const KNOWN =
  /^(clock|cluster\.(id|secret)|secrets\.(bootstraptoken|aescbcencryptionsecret|secretboxencryptionsecret)|trustdinfo\.token|certs\.(etcd|k8s|k8saggregator|k8sserviceaccount|os)\.(crt|key))$/

/** Reads the plain text of a talsecret.sops.yaml, or a secrets.yaml of `talosctl gen secrets`: they are the same. */
export function readBundle(text: string): ReadBundle {
  const { value, problems } = readYaml({ path: 'secrets', text })
  if (problems.length > 0 || typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, wrong: ['it is no map of secrets'] }
  const leaves = new Map(flat(value))
  const wrong = [
    ...NEEDED.filter((key) => typeof leaves.get(key) !== 'string' || leaves.get(key) === '').map(
      (key) => `${key} is missing`,
    ),
    ...[...leaves.keys()].filter((key) => !KNOWN.test(key)).map((key) => `${key} is not a key of Talos' secrets`),
  ]
  if (wrong.length > 0) return { ok: false, wrong }
  const authorities = ['certs.os.crt', 'certs.k8s.crt'].map((key) => ({ key, der: der(String(leaves.get(key))) }))
  const hash = createHash('sha256')
  for (const { key, der } of authorities) {
    if (der === undefined) return { ok: false, wrong: [`${key} is no certificate`] }
    hash.update(der)
  }
  const long = [...leaves.values()].filter((leaf): leaf is string => typeof leaf === 'string' && leaf.length >= 8)
  return { ok: true, bundle: { caFingerprint: hash.digest('hex'), leaves: [...new Set(long)] } }
}

function flat(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  return Object.entries(value).flatMap(([key, item]) => flat(item, path ? `${path}.${key}` : key))
}

function der(base64: string): Buffer | undefined {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64')).raw
  } catch {
    return undefined
  }
}
