import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { yamlMap } from '../../workflows/model/declaration/yaml-map.ts'
import { Fields, type GoValue, goYaml } from './go-yaml.ts'

/** What an Image Factory makes images from, as the text that is posted to it, and the id that it answers with. */
export type Schematic = { id: string; text: string }

const strings = v.nullish(v.array(v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String))), [])
const words = v.nullish(v.string(), '')

/** Keys that are not known are dropped, as talhelper does: its decoder knows no strictness. */
const shape = v.nullish(
  yamlMap({
    owner: words,
    overlay: v.nullish(
      yamlMap({ image: words, name: words, options: v.nullish(v.record(v.string(), v.unknown()), {}) }),
    ),
    customization: v.nullish(
      yamlMap({
        embeddedMachineConfiguration: words,
        extraKernelArgs: strings,
        meta: v.nullish(v.array(yamlMap({ key: v.nullish(v.number(), 0), value: words })), []),
        systemExtensions: v.nullish(yamlMap({ officialExtensions: strings })),
        bootloader: words,
        secureboot: v.nullish(
          yamlMap({ enrollKeys: words, includeWellKnownCertificates: v.nullish(v.boolean(), false) }),
        ),
        diskImage: v.nullish(yamlMap({ sectorSize: v.nullish(v.number(), 0) })),
      }),
    ),
  }),
)

/**
 * A schematic from what YAML says of it; undefined where that has another shape. The text is image-factory's canonical
 * one (pkg/schematic 1.4, `Marshal`): its own order of fields, nothing that is empty. Nothing at all is the schematic of
 * Talos without extensions.
 */
export function schematicOf(declared: unknown): Schematic | undefined {
  const parsed = v.safeParse(shape, declared)
  if (!parsed.success) return undefined
  const { owner, overlay, customization } = parsed.output ?? {}
  const { image, name, options } = overlay ?? {}
  const given = customization ?? undefined
  const text = goYaml(
    new Fields([
      ...filled('owner', owner),
      ...(image || name || Object.keys(options ?? {}).length > 0
        ? [
            [
              'overlay',
              new Fields([['image', image ?? ''], ['name', name ?? ''], ...filled('options', options as GoValue)]),
            ] as const,
          ]
        : []),
      [
        'customization',
        new Fields([
          ...filled('embeddedMachineConfiguration', given?.embeddedMachineConfiguration),
          ...filled('extraKernelArgs', given?.extraKernelArgs),
          ...filled(
            'meta',
            given?.meta.map(
              ({ key, value }) =>
                new Fields([
                  ['key', key],
                  ['value', value],
                ]),
            ),
          ),
          ...group('systemExtensions', filled('officialExtensions', given?.systemExtensions?.officialExtensions)),
          // the one of its values that is left out is the zero one
          ...filled('bootloader', given?.bootloader === 'none' ? '' : given?.bootloader),
          ...group('secureboot', [
            ...filled('enrollKeys', given?.secureboot?.enrollKeys),
            ...filled('includeWellKnownCertificates', given?.secureboot?.includeWellKnownCertificates),
          ]),
          ...group('diskImage', filled('sectorSize', given?.diskImage?.sectorSize)),
        ]),
      ],
    ]),
  )
  return { id: createHash('sha256').update(text).digest('hex'), text }
}

type Entry = readonly [string, GoValue]

/** Go's omitempty. */
const filled = (key: string, value: GoValue | undefined): Entry[] => {
  const empty = !value || (typeof value === 'object' && !(value instanceof Fields) && Object.keys(value).length === 0)
  return empty || value === undefined ? [] : [[key, value]]
}

const group = (key: string, entries: Entry[]): Entry[] => (entries.length > 0 ? [[key, new Fields(entries)]] : [])
