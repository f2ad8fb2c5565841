import type { YamlSource } from '../../model/declaration/yaml-source.ts'

/** What a cluster's nodes are generated from, as talhelper is about to read it. */
export type LintInput = {
  /** talconfig.yaml; where it is rendered, the rendered file */
  talconfig: YamlSource
  /** every file that `patches:` of talconfig may refer to as `@<path>`, under the path that people see */
  patches: readonly PatchFile[]
  /** Helm values of Cilium, where the repository has some */
  cilium?: YamlSource | undefined
  /** names of the variables that talhelper is given in its env file */
  variables?: readonly string[]
}

export type PatchFile = { path: string; documents: readonly YamlSource[] }
