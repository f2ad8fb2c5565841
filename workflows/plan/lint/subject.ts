/** The same that talhelper makes of talconfig and its patches, only with every value still knowing where it was written. */
import { locate, type Place } from '../../model/declaration/locate.ts'
import type { YamlPath, YamlSource } from '../../model/declaration/yaml-source.ts'
import type { LintInput } from './lint-input.ts'

/** What the rules look at. */
export type Subject = {
  talconfig: Place
  /** every patch once, however many nodes it is for */
  patches: Patch[]
  nodes: SubjectNode[]
  cilium: Place | undefined
  /** everything in which talhelper replaces variables */
  substituted: readonly YamlSource[]
  variables: readonly string[]
}

/** A patch, in a file or inside talconfig. */
export type Patch = {
  sources: readonly YamlSource[]
  documents: Place[]
  /** those of its documents that are the machine configuration itself, without a kind of their own */
  configs: Place[]
}

export type SubjectNode = {
  hostname: string
  controlPlane: boolean
  /** what talconfig says of the node alone, and of all nodes of its role */
  own: Place
  group: Place
  /** in the order of talhelper: of the role, of the node; those at the top level come last and win */
  patches: Patch[]
  global: Patch[]
}

/** Reads what is there; what has the wrong shape is passed over, since the schema tells of it. */
export function subjectOf({ talconfig, patches, cilium, variables = [] }: LintInput): Subject {
  const file = locate(talconfig)
  const known = new Map<string, Patch>()
  const once = (id: string, sources: readonly YamlSource[]): Patch => {
    const patch = known.get(id) ?? patchOf(sources)
    known.set(id, patch)
    return patch
  }
  const listed = (path: YamlPath): Patch[] =>
    file
      .get(...path)
      .items()
      .flatMap(({ value }, index) => {
        if (typeof value !== 'string') return []
        if (!value.startsWith('@')) return [once(JSON.stringify([...path, index]), talconfig.inner([...path, index]))]
        const wanted = value.replace(/^@(\.{0,2}\/)*/, '')
        const found = patches.find((one) => one.path === wanted || one.path.endsWith(`/${wanted}`))
        return found ? [once(found.path, found.documents)] : []
      })
  const global = listed(['patches'])
  const groups = { controlPlane: listed(['controlPlane', 'patches']), worker: listed(['worker', 'patches']) }
  const nodes = file
    .get('nodes')
    .items()
    .map((own, index): SubjectNode => {
      const role = own.get('controlPlane').value === true ? 'controlPlane' : 'worker'
      const { value: hostname } = own.get('hostname')
      return {
        hostname: typeof hostname === 'string' ? hostname : `nodes[${index}]`,
        controlPlane: role === 'controlPlane',
        own,
        group: file.get(role),
        patches: [
          ...(own.get('overridePatches').value === true ? [] : groups[role]),
          ...listed(['nodes', index, 'patches']),
        ],
        global,
      }
    })
  return {
    talconfig: file,
    patches: [...known.values()],
    nodes,
    cilium: cilium && locate(cilium),
    substituted: [talconfig, ...patches.flatMap(({ documents }) => documents)],
    variables,
  }
}

function patchOf(sources: readonly YamlSource[]): Patch {
  const documents = sources.map((source) => locate(source))
  return {
    sources,
    documents,
    configs: documents.filter(
      ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value) && !('kind' in value),
    ),
  }
}

/** What talconfig says of a node: its own word replaces that of its role as a whole. */
export function ofNode({ own, group }: SubjectNode, key: string): Place | undefined {
  return [own.get(key), group.get(key)].find(({ value }) => !isZero(value))
}

/** talhelper takes false, 0 and nothing for not said. */
const isZero = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/** The last word of a node's patches on one setting of the machine configuration. */
export const patched = ({ patches, global }: SubjectNode, ...keys: string[]): Place | undefined =>
  [...patches, ...global]
    .flatMap(({ configs }) => configs.map((config) => config.get(...keys)))
    .findLast(({ value }) => value !== undefined)

/** Every place in all patches where the machine configuration is given this setting. */
export const everywhere = ({ patches }: Subject, ...keys: string[]): Place[] =>
  patches
    .flatMap(({ configs }) => configs.map((config) => config.get(...keys)))
    .filter(({ value }) => value !== undefined)
