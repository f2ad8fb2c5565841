import { existsSync, readFileSync } from 'node:fs'
import { type Document, isSeq, parseDocument } from 'yaml'
import { replaceWhole } from './create-whole.ts'

/** The rule for the secrets of one cluster, relative to the .sops.yaml in the folder that holds `clusters/`. */
export const secretsRule = (cluster: string): string =>
  `clusters/${cluster.replaceAll('.', '\\.')}/talsecret\\.sops\\.yaml$`

/** Adds a rule to a .sops.yaml as the last one, so that no other file changes hands; comments and order stay. */
export function addSopsRule(file: string, rule: { pathRegex: string; recipient: string }): void {
  const entry = { path_regex: rule.pathRegex, age: rule.recipient }
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const document = parseDocument(before.trim() === '' ? EMPTY : before)
  append(document, entry)
  replaceWhole(file, document.toString({ lineWidth: 0 }))
}

const EMPTY = 'creation_rules: []\nstores:\n  yaml:\n    indent: 2\n'

function append(document: Document, entry: Record<string, string>): void {
  const rules = document.get('creation_rules')
  if (isSeq(rules)) {
    rules.flow = false
    rules.add(document.createNode(entry))
  } else document.set('creation_rules', document.createNode([entry]))
}
