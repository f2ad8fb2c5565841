import { existsSync, statSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { type Document, isSeq, parseDocument } from 'yaml'
import { readText } from '../../disk/read-text.ts'
import { replaceFile } from '../../disk/replace-file.ts'

/** The `path_regex` for one file in the .sops.yaml `config`, as sops matches it: against the path from there. */
export const pathRegexFor = (config: string, file: string): string =>
  `${relative(dirname(config), file).replace(/[.+*?^$()[\]{}|\\]/g, '\\$&')}$`

/** Adds a rule to a .sops.yaml as the last one, so that no other file changes hands; comments and order stay. */
export function addSopsRule(config: string, rule: { pathRegex: string; recipient: string }): void {
  const entry = { path_regex: rule.pathRegex, age: rule.recipient }
  const there = existsSync(config)
  const before = there ? readText(config) : ''
  const document = parseDocument(before.trim() === '' ? EMPTY : before)
  append(document, entry)
  replaceFile(config, document.toString({ lineWidth: 0 }), there ? statSync(config).mode & 0o777 : 0o644)
}

const EMPTY = 'creation_rules: []\nstores:\n  yaml:\n    indent: 2\n'

function append(document: Document, entry: Record<string, string>): void {
  const rules = document.get('creation_rules')
  if (isSeq(rules)) {
    rules.flow = false
    rules.add(document.createNode(entry))
  } else document.set('creation_rules', document.createNode([entry]))
}
