import semver from 'semver'
import { stringify } from 'yaml'
import { ApiError, type LabNode } from '../lab-node.ts'
import { message } from './message.ts'
import type { ResourceItem, ResourceKind } from './resource-kind.ts'
import { resourceKinds } from './resource-kinds.ts'

/** A resource with its bookkeeping; `incarnation` differs when it was away in between; `encoded` is cosi.resource.Resource. */
export type StoredResource = { id: string; incarnation: number; version: number; encoded: object }

type Remembered = { yaml: string; incarnation: number; version: number; created: Date; updated: Date }

const definitions: ResourceKind = {
  type: 'ResourceDefinitions.meta.cosi.dev',
  display: 'ResourceDefinition',
  namespace: 'meta',
  columns: [['Aliases', '{.aliases[:]}']],
  items: (node) => [...kinds.values()].filter((kind) => isKnown(kind, node)).map(definitionOf),
}

const kinds = new Map([definitions, ...resourceKinds].map((kind) => [kind.type, kind]))
const liveKinds = resourceKinds.filter(({ live }) => live === true)
const isKnown = ({ since }: ResourceKind, node: LabNode): boolean =>
  since === undefined || semver.gte(node.state().version, since)
const keyOf = ({ type }: ResourceKind, id: string): string => `${type}/${id}`
const namespaces = new Set(
  [...kinds.values()].map(({ namespace }) => namespace).concat('secrets', 'controlplane', 'files'),
)

/**
 * The resources of one node. They are made from its state when asked for; what is kept is what a client can compare:
 * a version that grows and a time that moves when the content changes. A reboot starts over.
 */
export class ResourceStore {
  readonly #node: LabNode
  readonly #cluster: readonly LabNode[]
  readonly #stop: () => void
  #incarnations = 0
  #bootId = ''
  #memory = new Map<string, Remembered>()

  constructor(node: LabNode, cluster: readonly LabNode[]) {
    this.#node = node
    this.#cluster = cluster
    this.#stop = node.on((event) => event.type === 'state' && this.#followLive())
    this.#followLive()
  }

  close(): void {
    this.#stop()
  }

  /**
   * The resources of a type, ordered by id. Fails with PERMISSION_DENIED like Talos' access policy for unknown types,
   * unknown namespaces and sensitive types without os:admin (internal/app/resources/access.go).
   */
  async list(type: string, namespace: string, roles: readonly string[]): Promise<StoredResource[]> {
    const kind = kinds.get(type)
    if (kind === undefined || !isKnown(kind, this.#node)) {
      throw new ApiError('PERMISSION_DENIED', `resource type ${JSON.stringify(type)} is not supported`)
    }
    if (kind.sensitive === true && !roles.includes('os:admin')) {
      throw new ApiError('PERMISSION_DENIED', 'not authorized')
    }
    if (!namespaces.has(namespace)) {
      throw new ApiError('PERMISSION_DENIED', `namespace ${JSON.stringify(namespace)} is not supported`)
    }
    if (namespace !== kind.namespace) return []
    return this.#storeAll(kind, await kind.items(this.#node, this.#cluster))
  }

  #followLive(): void {
    for (const kind of liveKinds) {
      const items = kind.items(this.#node, this.#cluster)
      if (!(items instanceof Promise)) this.#storeAll(kind, items)
    }
  }

  #storeAll(kind: ResourceKind, items: readonly ResourceItem[]): StoredResource[] {
    this.#forgetOldBoot()
    const present = new Set(items.map(({ id }) => keyOf(kind, id)))
    for (const key of this.#memory.keys()) {
      if (key.startsWith(keyOf(kind, '')) && !present.has(key)) this.#memory.delete(key)
    }
    return [...items].sort((a, b) => (a.id < b.id ? -1 : 1)).map((item) => this.#store(kind, item))
  }

  #forgetOldBoot(): void {
    const { bootId } = this.#node.state()
    if (bootId === this.#bootId) return
    this.#bootId = bootId
    this.#memory.clear()
  }

  #store(kind: ResourceKind, item: ResourceItem): StoredResource {
    const garbage = this.#node.answersGarbage() && kind !== definitions
    const yaml = garbage ? 'garbage\n' : yamlOf(item.yaml)
    const key = keyOf(kind, item.id)
    const known = this.#memory.get(key)
    const now = new Date()
    const remembered =
      known?.yaml === yaml
        ? known
        : {
            yaml,
            incarnation: known?.incarnation ?? ++this.#incarnations,
            version: (known?.version ?? 0) + 1,
            created: known?.created ?? now,
            updated: now,
          }
    this.#memory.set(key, remembered)
    const spec = kind === definitions ? 'cosi.resource.ResourceDefinitionSpec' : `talos.resource.${kind.spec}`
    const isDecodable = item.proto !== undefined && !garbage
    return {
      id: item.id,
      incarnation: remembered.incarnation,
      version: remembered.version,
      encoded: {
        metadata: {
          namespace: kind.namespace,
          type: kind.type,
          id: item.id,
          version: String(remembered.version),
          owner: '',
          phase: 'running',
          created: message.timestamp(remembered.created),
          updated: message.timestamp(remembered.updated),
          annotations: item.annotations ?? {},
        },
        spec: {
          yaml_spec: yaml,
          proto_spec: isDecodable ? message.encode(spec, item.proto ?? {}) : new Uint8Array(),
        },
      },
    }
  }
}

/** Go's YAML reader takes an unindented block scalar at the root for an empty string, so strings are quoted. */
const yamlOf = (spec: unknown): string => (typeof spec === 'string' ? `${JSON.stringify(spec)}\n` : stringify(spec))

/** COSI's ResourceDefinitionSpec.Fill: talosctl matches what a user types against `allAliases`. */
function definitionOf(kind: ResourceKind): ResourceItem {
  const [name = '', ...suffix] = kind.type.split('.')
  const plural = name.toLowerCase()
  const capitals = name.replaceAll(/[^A-Z]/g, '')
  const initials = capitals.length < 2 ? [] : capitals.endsWith('S') ? [capitals] : [capitals, `${capitals}s`]
  const aliases = [...(kind.aliases ?? []), kind.display.toLowerCase(), ...initials.map((text) => text.toLowerCase())]
  const qualified = suffix.slice(0, -1).map((_, index) => [plural, ...suffix.slice(0, index + 1)].join('.'))
  const allAliases = [plural, ...qualified, ...aliases]
  return {
    id: kind.type.toLowerCase(),
    yaml: {
      type: kind.type,
      displayType: kind.display,
      defaultNamespace: kind.namespace,
      aliases,
      allAliases,
      printColumns: kind.columns.map(([column, jsonPath]) => ({ name: column, jsonPath })),
      ...(kind.sensitive === true ? { sensitivity: 'sensitive' } : {}),
    },
    proto: {
      resource_type: kind.type,
      display_type: kind.display,
      default_namespace: kind.namespace,
      aliases,
      all_aliases: allAliases,
      print_columns: kind.columns.map(([column, jsonPath]) => ({ name: column, json_path: jsonPath })),
      sensitivity: kind.sensitive === true ? 1 : 0,
    },
  }
}
