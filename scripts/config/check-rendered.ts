/** Looks at what talhelper is about to read: against talhelper's own schema, and for what goes wrong in the field. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Cluster } from '../../workflows/model/cluster.ts'
import {
  readYaml,
  readYamlDocuments,
  type SourceText,
  type YamlSource,
} from '../../workflows/model/declaration/yaml-source.ts'
import type { Failure, Result } from '../../workflows/model/failure.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import { lint } from '../../workflows/plan/lint/lint.ts'
import type { Layout } from '../declaration/layout.ts'
import { forPeople, readSource } from '../declaration/load-cluster.ts'
import { checkTalconfig } from './check-talconfig.ts'
import type { RenderedConfig, RenderedFile } from './render-config.ts'
import type { talconfigSchema } from './talconfig-schema.ts'
import { withOrigin } from './with-origin.ts'

/** Every problem, warnings among them, at its rendered line with the line of the template that it came from. */
export async function checkRendered(
  rendered: RenderedConfig,
  of: { layout: Layout; cluster: Cluster; schema: ReturnType<typeof talconfigSchema> },
): Promise<Result<Problem[], Failure[]>> {
  const { layout, cluster } = of
  const schema = await of.schema
  if (!schema.ok) return { ok: false, failure: [schema.failure] }
  const shown = ({ name }: RenderedFile) => forPeople(join(layout.folder, name))
  const talconfig = readYaml({ path: shown(rendered.talconfig), text: rendered.talconfig.text })
  const patches = [
    ...rendered.patches.map((patch) => ({ path: shown(patch), text: patch.text })),
    ...patchesBeside(talconfig, rendered, layout),
  ].map(({ path, text }) => ({ path, documents: readYamlDocuments({ path, text }).filter(isPlain) }))
  const cilium = ciliumValues(cluster, layout)
  const found = [
    ...(await checkTalconfig(talconfig, schema.value)),
    ...patches.flatMap(({ documents }) => documents.flatMap(({ problems }) => problems)),
    ...lint({ talconfig, patches, variables: Object.keys(rendered.variables), cilium }),
  ]
  const files = new Map([rendered.talconfig, ...rendered.patches].map((file) => [shown(file), file]))
  const placed = await Promise.all(
    found.map((problem) => withOrigin([problem], files.get(problem.file) ?? { name: problem.file, text: '' })),
  )
  return { ok: true, value: placed.flat() }
}

/** An encrypted patch is talhelper's business. */
const isPlain = ({ value }: YamlSource): boolean => typeof value !== 'object' || value === null || !('sops' in value)

/** Patches that talconfig refers to and that a person wrote. */
function patchesBeside({ value }: YamlSource, rendered: RenderedConfig, { folder }: Layout): SourceText[] {
  const ours = new Set(rendered.patches.map(({ name }) => resolve(folder, name)))
  const paths = new Set([...references(value)].map((reference) => resolve(folder, reference.slice(1))))
  return [...paths].filter((path) => !ours.has(path) && existsSync(path)).flatMap((path) => readSource(path) ?? [])
}

/** Texts that start with @ are files to talhelper, in lists of patches. */
function* references(value: unknown, inPatches = false): Generator<string> {
  if (typeof value === 'string' && inPatches && /^@\S+$/.test(value)) yield value
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value))
    yield* references(item, Array.isArray(value) ? inPatches : key === 'patches')
}

function ciliumValues({ operations }: Cluster, { root }: Layout): YamlSource | undefined {
  const { ciliumValues } = operations.generate
  const source = ciliumValues === undefined ? undefined : readSource(resolve(root, ciliumValues))
  return source && readYaml(source)
}
