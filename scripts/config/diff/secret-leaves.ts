import { isMap, parseDocument } from 'yaml'
import { redact } from '../../view/redact.ts'

/** Where a value stands in a document: keys of maps and indices of lists. */
export type LeafPath = readonly (string | number)[]

/** Keys whose value is one, whatever holds them: of Talos' documents, talconfig, talosconfig, kubeconfig and patches. */
const SECRET_KEY =
  /(token|secret|password|passphrase|private-?key|preshared-?key|psk|credentials?|api-?key|cookie)$|^auth(orization)?$/i

/** Keys below which everything may be one: people put passwords there, and nobody knows under which name. */
const SECRET_TREE = /^(env|environment|environmentVariables|auth|extraManifestHeaders|requestHeaders|static)$/

/** Keys of texts that are files: a whole one is hidden, because what is in it follows nobody's schema. */
const FILE_PARENTS = /^(files|machineFiles|configFiles)$/

/** Kubernetes manifests are shown unless one is a Secret. */
const SECRET_MANIFEST = /^\s*["']?kind["']?\s*:\s*["']?Secret\b/m

/** In a URL: `?jointoken=…`. */
const SECRET_IN_QUERY = /[?&;][\w-]*(token|secret|key|password|auth)=/i

/** Shorter values of the given set only count as a whole leaf: they stand in too many words. */
const TELLING_LENGTH = 8

/** Says of a leaf of a document whether it must not be seen. `siblings` are the keys beside it. */
export type IsSecret = (
  path: LeafPath,
  value: unknown,
  siblings: readonly string[],
  kind: string | undefined,
) => boolean

/** Judges by where a leaf stands, by what it looks like, and by the values that are known to be secret. */
export function secretLeaves(known: Iterable<string>): IsSecret {
  const values = new Set([...known].filter((value) => value !== ''))
  const telling = [...values].filter((value) => value.length >= TELLING_LENGTH)

  const isSecret: IsSecret = (path, value, siblings, kind) => {
    if (typeof value === 'boolean' || value === null || value === undefined) return false
    const text = String(value)
    if (text === '') return false
    if (standsWhereSecretsDo(path, siblings, kind)) return true
    if (values.has(text) || telling.some((secret) => text.includes(secret))) return true
    const key = path.findLast((part) => typeof part === 'string') ?? ''
    const line = `${key}: ${text}`
    return redact(line) !== line || redact(text) !== text || SECRET_IN_QUERY.test(text) || holdsSecret(key, text)
  }

  /** Texts within the text: manifests, and patches that are YAML themselves. */
  function holdsSecret(key: string | number, text: string): boolean {
    if (key === 'contents' && SECRET_MANIFEST.test(text)) return true
    if (!text.includes('\n') && !/^\s*[{[]/.test(text)) return false
    const document = parseDocument(text, { logLevel: 'silent' })
    if (document.errors.length > 0 || document.contents === null) return false
    if (!isMap(document.contents) && !/^\s*(- |\[)/.test(text)) return false
    let found = false
    try {
      eachLeaf(document.toJS(), (path, value, siblings) => {
        found ||= isSecret(path, value, siblings, undefined)
      })
    } catch {
      return true
    }
    return found
  }

  return isSecret
}

function standsWhereSecretsDo(path: LeafPath, siblings: readonly string[], kind: string | undefined): boolean {
  const keys = path.filter((part) => typeof part === 'string')
  const key = keys.at(-1) ?? ''
  const parent = keys.at(-2) ?? ''
  if (SECRET_KEY.test(key) || keys.some((part) => SECRET_TREE.test(part))) return true
  if ((key === 'content' || key === 'contents') && FILE_PARENTS.test(parent)) return true
  // beside a certificate, or below what only ever holds a key pair
  if (
    key === 'key' &&
    (siblings.includes('crt') || siblings.includes('cert') || /^(serviceAccount|\w*[cC][aA])$/.test(parent))
  )
    return true
  if (kind === 'EnvironmentConfig' && keys[0] === 'variables') return true
  // the bundle of secrets holds it beside cluster.secret: both together are the way into the discovery service
  return kind === 'v1alpha1' && keys.join('.') === 'cluster.id'
}

/** Visits every value that is no map and no list. */
export function eachLeaf(
  value: unknown,
  visit: (path: LeafPath, value: unknown, siblings: readonly string[]) => void,
  path: LeafPath = [],
  siblings: readonly string[] = [],
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) eachLeaf(item, visit, [...path, index], siblings)
  } else if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value)
    for (const [key, item] of Object.entries(value)) eachLeaf(item, visit, [...path, key], keys)
  } else {
    visit(path, value, siblings)
  }
}
