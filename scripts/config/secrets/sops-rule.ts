import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { readYaml, type YamlSource } from '../../../workflows/model/declaration/yaml-source.ts'
import type { Problem } from '../../../workflows/model/problem.ts'
import { readSource } from '../../declaration/load-cluster.ts'

/** What .sops.yaml has to say about one file. */
export type SopsRule =
  /** there is none upwards from the file */
  | { found: 'no-config' }
  | { found: 'broken-config'; config: string; problems: Problem[] }
  | { found: 'no-rule'; config: string; rules: number }
  | {
      found: 'rule'
      config: string
      /** `.sops.yaml:3:5: creation_rules[0]`, where a person finds it */
      place: string
      /** age recipients; empty where other keys alone open the file */
      recipients: string[]
      /** PGP, a cloud's KMS or Vault opens it as well */
      otherKeys: boolean
      /** the key of the rule by which only a part of a file is encrypted: `encrypted_regex` */
      partly?: string
    }

type Rule = Record<string, unknown>

const PARTLY = ['encrypted_regex', 'encrypted_suffix', 'unencrypted_regex', 'unencrypted_suffix']
const OTHER_KEYS = /^(kms|gcp_kms|hckms|azure_keyvault|hc_vault|hc_vault_transit_uri|pgp)$/

/** Looks for the rule by which sops would encrypt `file` (absolute), in its own way: the first that matches counts. */
export function sopsRule(file: string, env: NodeJS.ProcessEnv): SopsRule {
  const config = sopsConfig(file, env)
  const text = config === undefined ? undefined : readSource(config)
  if (config === undefined || text === undefined) return { found: 'no-config' }
  const source = readYaml(text)
  if (source.problems.length > 0) return { found: 'broken-config', config, problems: source.problems }
  const rules = rulesOf(source)
  if (rules === undefined) {
    const problem = source.problem(['creation_rules'], 'creation_rules should be a list of rules')
    return { found: 'broken-config', config, problems: [problem] }
  }
  const path = relative(dirname(config), file)
  const index = rules.findIndex((rule) => matches(rule.path_regex, path))
  const rule = rules[index]
  if (rule === undefined) return { found: 'no-rule', config, rules: rules.length }
  const at = source.problem(['creation_rules', index], '')
  const groups = groupsOf(rule)
  const partly = PARTLY.find((key) => rule[key])
  return {
    found: 'rule',
    config,
    place: `${at.file}:${at.line}:${at.col}: creation_rules[${index}]`,
    recipients: groups.flatMap((group) => words(group.age)),
    otherKeys: groups.some((group) => Object.keys(group).some((key) => OTHER_KEYS.test(key) && group[key])),
    ...(partly !== undefined && { partly }),
  }
}

/** The configuration for `file`: what SOPS_CONFIG names, else the nearest .sops.yaml upwards from it. */
function sopsConfig(file: string, env: NodeJS.ProcessEnv): string | undefined {
  if (env.SOPS_CONFIG) return resolve(env.SOPS_CONFIG)
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const config = join(folder, '.sops.yaml')
    if (existsSync(config)) return config
    if (folder === dirname(folder)) return undefined
  }
}

function rulesOf({ value }: YamlSource): Rule[] | undefined {
  const rules = (value as { creation_rules?: unknown } | null | undefined)?.creation_rules
  if (rules === undefined || rules === null) return []
  return Array.isArray(rules) && rules.every((rule) => typeof rule === 'object' && rule !== null) ? rules : undefined
}

/** A rule without path_regex fits every file. */
function matches(pattern: unknown, path: string): boolean {
  if (typeof pattern !== 'string' || pattern === '') return true
  // Go's flags stand in the pattern
  const [, flags = '', rest = ''] = /^(?:\(\?([ims]+)\))?([\s\S]*)$/.exec(pattern) ?? []
  try {
    return new RegExp(rest, flags).test(path)
  } catch {
    // what only Go can read: sops itself will tell
    return false
  }
}

/** A rule and all its key groups, which may be merged out of others. */
function groupsOf(rule: Rule): Rule[] {
  const nested = (list: unknown): Rule[] =>
    Array.isArray(list)
      ? list
          .filter((group) => typeof group === 'object' && group !== null)
          .flatMap((group: Rule) => [group, ...nested(group.merge)])
      : []
  return [rule, ...nested(rule.key_groups)]
}

/** A list, or words with commas between them. */
const words = (value: unknown): string[] =>
  (Array.isArray(value) ? value : String(value ?? '').split(',')).map((word) => String(word).trim()).filter(Boolean)
