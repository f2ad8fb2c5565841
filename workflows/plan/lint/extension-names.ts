import type { Located } from '../../model/declaration/topology.ts'
import type { Problem } from '../../model/problem.ts'
import { ofNode, type Subject } from './subject.ts'

/** One extension has three names: siderolabs/lldpd in a schematic, lldpd in its configuration, ext-lldpd as a service. */
export function extensionNames({ nodes, patches }: Subject): Problem[] {
  const configs = [
    ...nodes.flatMap((node) => ofNode(node, 'extensionServices')?.items() ?? []),
    ...patches.flatMap(({ documents }) =>
      documents.filter((document) => document.get('kind').value === 'ExtensionServiceConfig'),
    ),
  ].flatMap((service) => service.get('name').text() ?? [])
  const extensions = nodes.flatMap(
    (node) => ofNode(node, 'schematic')?.get('customization', 'systemExtensions', 'officialExtensions').texts() ?? [],
  )
  return [...configs.flatMap(asConfig), ...extensions.flatMap(asExtension)]
}

const asConfig = (name: Located): Problem[] =>
  /^ext-|\//.test(name.value)
    ? [
        name.at(
          `the configuration of a service is called like its extension, and not ${name.value}`,
          `name: ${plain(name.value)}`,
        ),
      ]
    : []

const asExtension = (name: Located): Problem[] =>
  /^[^/]+\/[^/]+$/.test(name.value) && !name.value.includes('/ext-')
    ? []
    : [name.at(`no extension is called ${name.value}`, `siderolabs/${plain(name.value)}`)]

const plain = (name: string): string => (name.split('/').at(-1) ?? '').replace(/^ext-/, '')
