/**
 * From a declaration to what talhelper reads: talconfig.yaml and the patches that it refers to. Everything stays in
 * memory; a mistake in one template does not hide those in others.
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Cluster, NodeName, TemplateOptions } from '../../workflows/model/cluster.ts'
import { PATCH_SCOPES } from '../../workflows/model/declaration/patch-scopes.ts'
import { readYaml } from '../../workflows/model/declaration/yaml-source.ts'
import { nearest } from '../../workflows/model/nearest.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import { type Layout, packageRoot } from '../declaration/layout.ts'
import { type Declared, forPeople } from '../declaration/load-cluster.ts'
import { readText } from '../disk/read-text.ts'
import type { Run } from '../run.ts'
import { type PatchFile, patchFiles } from './patch-files.ts'
import type { Rendered } from './template/render-template.ts'

/** One file that talhelper reads. */
export type RenderedFile = {
  /** from the folder of the cluster: `talconfig.rendered.yaml`, `patches.rendered/global/10-time.yaml` */
  name: string
  text: string
  /** where a line came from; absent for what a person wrote */
  origin?: Rendered['origin']
}

export type RenderedPatch = RenderedFile & { scope: string }

export type RenderedConfig = {
  talconfig: RenderedFile
  patches: RenderedPatch[]
  /** for `--env-file` */
  variables: Readonly<Record<string, string>>
  warnings: Problem[]
}

type Outcome = { ok: true; value: RenderedConfig } | { ok: false; problems: Problem[] }

/** Renders what there are templates for; a talconfig.yaml that a person wrote is taken as it is. */
export async function renderConfig(of: {
  layout: Layout
  cluster: Cluster
  declared: Declared
  run: Run
}): Promise<Outcome> {
  switch (of.declared.kind) {
    case 'talenv':
      return renderTalenv(of.layout, of.cluster, of.declared.talenv, of.run)
    case 'nodes':
      return renderNodes(of.layout, of.cluster, of.declared, of.run)
    case 'talconfig':
      return asWritten(of.layout, of.declared.variables)
  }
}

function asWritten({ folder, talconfig: name }: Layout, variables: Readonly<Record<string, string>>): Outcome {
  const text = readText(join(folder, name))
  return { ok: true, value: { talconfig: { name, text }, patches: [], variables, warnings: [] } }
}

async function renderTalenv(
  layout: Layout,
  cluster: Cluster,
  talenv: Extract<Declared, { kind: 'talenv' }>['talenv'],
  run: Run,
): Promise<Outcome> {
  const { templates: options, generate, upgrade } = cluster.operations
  const templates = templatesOf(layout)
  const policy = { factory: upgrade.factory, mode: generate.mode }
  const shared = { ...talenv, ...policy }
  const problems: Problem[] = []
  const render = await renderer(templates.root, options, run, problems)
  const renderOwn = await renderer(templates.patchesRoot, options, run, problems)

  const schematics: Record<NodeName, unknown> = {}
  const keys = nodeKeysOf(readText(templates.schematic), options)
  const alike = new Map<string, unknown>()
  for (const node of talenv.nodes) {
    if (node.schematic !== null) continue
    const seen = JSON.stringify(keys?.map((key) => (node as Record<string, unknown>)[key]) ?? node)
    if (!alike.has(seen)) {
      // of all nodes once for each node would be their square
      const rendered = await render(templates.schematic, { cluster: talenv.cluster, node, ...policy })
      alike.set(seen, rendered && schematicOf(rendered, templates.schematic, problems))
    }
    schematics[node.hostname] = alike.get(seen)
  }
  const scopes: Scopes = { global: [], controller: [], worker: [], nodes: {} }
  for (const { hostname } of talenv.nodes) scopes.nodes[hostname] = []
  const patches: RenderedPatch[] = []
  const warnings: Problem[] = []
  for (const file of patchFiles(templates.patches)) {
    const node = talenv.nodes.find(({ hostname }) => hostname === file.scope)
    const list = node ? scopes.nodes[node.hostname] : scopeOf(scopes, file.scope)
    if (list === undefined) {
      warnings.push(strayPatch(file, cluster))
      continue
    }
    const name = `patches.rendered/${file.scope}/${file.name}`
    const patch = await renderPatch(file, name, renderOwn, node ? { ...shared, node } : shared)
    // where every block of a template is left out, there is nothing to patch
    if (patch === undefined || isBlank(patch.text)) continue
    patches.push(patch)
    list.push(`@./${name}`)
  }
  const talconfig = await render(templates.talconfig, { ...shared, schematics, patches: scopes })
  if (problems.length > 0 || talconfig === undefined) return { ok: false, problems: once(problems) }
  return {
    ok: true,
    value: {
      talconfig: { name: layout.talconfig, text: talconfig.text, origin: talconfig.origin },
      patches,
      variables: {},
      warnings,
    },
  }
}

/** As cluster-template does: templates/config/talos becomes talos/, and talhelper puts the versions in. */
async function renderNodes(
  { root, talconfig: name }: Layout,
  { operations }: Cluster,
  { values, variables }: Extract<Declared, { kind: 'nodes' }>,
  run: Run,
): Promise<Outcome> {
  const folder = join(root, 'templates', 'config', 'talos')
  const problems: Problem[] = []
  const render = await renderer(root, operations.templates, run, problems)
  const patches: RenderedPatch[] = []
  for (const file of patchFiles(join(folder, 'patches'))) {
    const patch = await renderPatch(file, `patches/${file.scope}/${file.name}`, render, values)
    if (patch) patches.push(patch)
  }
  const talconfig = await render(join(folder, 'talconfig.yaml.j2'), values)
  if (problems.length > 0 || talconfig === undefined) return { ok: false, problems: once(problems) }
  const { text, origin } = talconfig
  return { ok: true, value: { talconfig: { name, text, origin }, patches, variables, warnings: [] } }
}

/**
 * The keys of `node` that a template looks at: where they are alike, so is what is rendered, and most nodes of a cluster
 * are alike. Undefined where it may look at all of the node.
 */
function nodeKeysOf(source: string, { delimiters }: TemplateOptions): string[] | undefined {
  const code = delimiters ? source : (source.match(/\{[{%][\s\S]*?[%}]\}/g) ?? []).join(' ')
  if (/\b(include|import|extends)\b/.test(code)) return undefined
  const uses = [...code.matchAll(/\bnode\b(?:\.(\w+))?/g)].map(([, key]) => key)
  return uses.every((key) => key !== undefined) ? [...new Set(uses)] : undefined
}

type Scopes = Record<(typeof PATCH_SCOPES)[number], string[]> & { nodes: Record<NodeName, string[]> }

const scopeOf = (scopes: Scopes, scope: string): string[] | undefined =>
  PATCH_SCOPES.some((known) => known === scope) ? scopes[scope as (typeof PATCH_SCOPES)[number]] : undefined

type Render = (path: string, context: Record<string, unknown>) => Promise<Rendered | undefined>

/** Renders files below `root`; what goes wrong is added to `problems`. */
async function renderer(root: string, options: TemplateOptions, run: Run, problems: Problem[]): Promise<Render> {
  // the engine takes a moment to load, and a talconfig.yaml that a person wrote does not need it
  const { renderTemplate } = await import('./template/render-template.ts')
  return async (path, context) => {
    const result = await renderTemplate({ root, path: relative(root, path), context, options, run })
    if (result.ok) return { ...result.rendered, origin: shownOrigin(result.rendered, root) }
    problems.push(...result.problems)
    return undefined
  }
}

/** Where a line came from, under the path that people know the template by. */
const shownOrigin =
  (rendered: Rendered, root: string): Rendered['origin'] =>
  async (line) => {
    const from = await rendered.origin(line)
    return from && { ...from, path: forPeople(join(root, from.path)) }
  }

async function renderPatch(
  { path, scope, template }: PatchFile,
  name: string,
  render: Render,
  context: Record<string, unknown>,
): Promise<RenderedPatch | undefined> {
  if (!template) return { name, scope, text: readText(path) }
  const rendered = await render(path, context)
  return rendered && { name, scope, text: rendered.text, origin: rendered.origin }
}

/** A template that is rendered for every node has the same mistake for every node. */
const once = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
]

const isBlank = (text: string): boolean => text.split('\n').every((line) => /^\s*(#.*|---)?$/.test(line))

/** The templates of the root, or where it has none those of this package: nothing is included from outside of them. */
function templatesOf({ root }: Layout) {
  const own = existsSync(join(root, 'templates', 'talconfig.j2')) ? root : packageRoot
  const patchesRoot = existsSync(join(root, 'templates', 'patches')) ? root : own
  const schematic = [join(own, 'templates', 'schematic.yaml.j2'), join(own, 'common', 'schematic.yaml.j2')]
  return {
    root: own,
    talconfig: join(own, 'templates', 'talconfig.j2'),
    schematic: schematic.find(existsSync) ?? join(packageRoot, 'templates', 'schematic.yaml.j2'),
    patchesRoot,
    patches: join(patchesRoot, 'templates', 'patches'),
  }
}

function schematicOf({ text }: Rendered, path: string, problems: Problem[]): unknown {
  const { problems: mistakes, value } = readYaml({ path: `${forPeople(path)} (rendered)`, text })
  problems.push(...mistakes)
  return mistakes.length > 0 ? undefined : value
}

function strayPatch({ scope, path }: PatchFile, cluster: Cluster): Problem {
  const meant = nearest(scope, [...PATCH_SCOPES, ...cluster.nodes.map(({ name }) => name)])
  return {
    file: forPeople(path),
    line: 1,
    col: 1,
    message: `no node is called ${scope}, so this patch is for none`,
    ...(meant !== undefined && { hint: `did you mean ${meant}?` }),
    warning: true,
  }
}
