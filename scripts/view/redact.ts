const HIDDEN = '(redacted)'

/** Names under which Talos, Kubernetes, talhelper and SOPS keep what must not be seen, whatever the value looks like. */
const SECRET_NAMES = [
  'password',
  'passphrase',
  'private-?key',
  'trustdinfo',
  'bootstraptoken',
  'secretboxencryptionsecret',
  'aescbcencryptionsecret',
  'client-key-data',
  'client-certificate-data',
  'certificate-authority-data',
].join('|')

/** Names that sentences use as well ("duplicate key: nodes"), so that only a value like a secret's counts. */
const COMMON_NAMES = ['key', 'crt', 'ca', 'token', 'secret', 'identity'].join('|')

const PATTERNS: readonly [RegExp, string][] = [
  // whole PEM blocks, also cut off ones and those that JSON escaped into one line
  [/-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(?:-----END [A-Z0-9 ]+-----|$)/g, HIDDEN],
  [/AGE-SECRET-KEY-[0-9A-Z-]+/g, HIDDEN],
  // a PEM block in base64, as talosconfig, kubeconfig and machine configurations carry keys and certificates
  [/LS0tLS1CRUdJTi[A-Za-z0-9+/_-]*={0,2}/g, HIDDEN],
  // Kubernetes bootstrap tokens and Talos trustd tokens share this form
  [/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, HIDDEN],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, HIDDEN],
  [/\b(Bearer|Basic) +[A-Za-z0-9+/_.~=-]{8,}/g, `$1 ${HIDDEN}`],
  [/\/\/([^/\s:@]+):([^/\s@]+)@/g, `//$1:${HIDDEN}@`],
  // `name: value` of YAML and `"name": "value"` of JSON; a value that only opens a map or a list says nothing
  [
    new RegExp(
      `\\b((?:${SECRET_NAMES})["']?[ \\t]*:[ \\t]*)(?!\\(redacted\\))("[^"\\n]*"|'[^'\\n]*'|[^\\s"'{}[\\],#][^\\n,}]*)`,
      'gi',
    ),
    `$1${HIDDEN}`,
  ],
  [
    new RegExp(`\\b((?:${COMMON_NAMES})["']?[ \\t]*:[ \\t]*)(?!\\(redacted\\))["']?[^\\s"',{}[\\]]{12,}["']?`, 'gi'),
    `$1${HIDDEN}`,
  ],
  // and of command lines and environments: --token=…, TOKEN=…
  [/((?:^|[\s-])[\w-]*(?:token|secret|password|passphrase|private[-_]?key)=)(?!\(redacted\))\S+/gi, `$1${HIDDEN}`],
]

/**
 * Takes secrets out of text that is about to leave the process: logs, reports, errors. It is the last line of defence,
 * for what a tool may print against our will; nothing is ever put into such text on the strength of it.
 */
export const redact = (text: string): string =>
  PATTERNS.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text)

/** The same for JSON: what `JSON.stringify` takes as its replacer. */
export const redactValue = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? redact(value) : value
