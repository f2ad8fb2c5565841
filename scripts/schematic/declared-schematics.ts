import * as v from 'valibot'
import { parse } from 'yaml'
import { failure, type Result } from '../../workflows/model/failure.ts'
import { type Schematic, schematicOf } from './schematic.ts'

const group = v.nullish(
  v.object({
    schematic: v.optional(v.unknown()),
    imageSchematic: v.optional(v.unknown()),
    talosImageURL: v.nullish(v.string()),
  }),
)

const talconfig = v.object({
  nodes: v.array(
    v.object({
      hostname: v.nullish(v.string(), ''),
      controlPlane: v.nullish(v.boolean(), false),
      schematic: v.optional(v.unknown()),
      imageSchematic: v.optional(v.unknown()),
      talosImageURL: v.nullish(v.string()),
    }),
  ),
  controlPlane: group,
  worker: group,
})

/**
 * The distinct schematics that talhelper makes installer and boot images of: a node's own, else its group's, else the one
 * without extensions; none where an image is named instead. Fails with `declaration-invalid`.
 */
export function declaredSchematics(rendered: { path: string; text: string }): Result<Schematic[]> {
  const wrong = (detail: string): { ok: false; failure: ReturnType<typeof failure> } => ({
    ok: false,
    failure: failure('declaration-invalid', { detail: `${rendered.path}: ${detail}` }),
  })
  let content: unknown
  try {
    content = parse(rendered.text)
  } catch {
    return wrong('is no YAML')
  }
  const config = v.safeParse(talconfig, content)
  if (!config.success) return wrong('is no talconfig')
  const schematics = new Map<string, Schematic>()
  for (const node of config.output.nodes) {
    const shared = node.controlPlane ? config.output.controlPlane : config.output.worker
    const installer = node.talosImageURL || shared?.talosImageURL ? [] : [node.schematic ?? shared?.schematic ?? {}]
    const boot = [node.imageSchematic ?? shared?.imageSchematic].filter(
      (declared) => declared !== undefined && declared !== null,
    )
    for (const declared of [...installer, ...boot]) {
      const schematic = schematicOf(declared)
      if (schematic === undefined) return wrong(`the schematic of ${node.hostname} is none`)
      schematics.set(schematic.id, schematic)
    }
  }
  return { ok: true, value: [...schematics.values()] }
}
