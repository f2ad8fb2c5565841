import type { Place } from '../../model/declaration/locate.ts'
import type { Problem } from '../../model/problem.ts'
import { CONFIGURED_SERVICES } from './configured-services.ts'
import { everywhere, ofNode, type Subject, type SubjectNode } from './subject.ts'

/**
 * A service that waits for its configuration holds up the end of the boot, and after 70 minutes the node starts over. The
 * configuration of such a service is an ExtensionServiceConfig and nothing else.
 */
export const extensionServices = (subject: Subject): Problem[] => [
  ...subject.nodes.flatMap(waiting),
  ...misplaced(subject),
]

function waiting(node: SubjectNode): Problem[] {
  const configured = [
    ...(ofNode(node, 'extensionServices')?.items() ?? []),
    ...[...node.patches, ...node.global].flatMap(({ documents }) =>
      documents.filter((document) => document.get('kind').value === 'ExtensionServiceConfig'),
    ),
  ].map((service) => String(service.get('name').value).replace(/^ext-/, ''))
  return (
    ofNode(node, 'schematic')?.get('customization', 'systemExtensions', 'officialExtensions').texts() ?? []
  ).flatMap((extension) => {
    const name = nameOf(extension.value)
    const rewrite = CONFIGURED_SERVICES.get(name)
    if (rewrite === undefined || configured.includes(name)) return []
    return [extension.at(`ext-${name} waits for its configuration, and the node never ends booting without`, rewrite)]
  })
}

const nameOf = (extension: string): string => (extension.split('/').at(-1) ?? '').replace(/^ext-/, '')

function misplaced(subject: Subject): Problem[] {
  const files = everywhere(subject, 'machine', 'files').flatMap((list) => list.items().map((item) => item.get('path')))
  const variables = everywhere(subject, 'machine', 'env').flatMap((env) => env.entries())
  const manifests = everywhere(subject, 'cluster', 'extraManifests').flatMap((list) => list.items())
  const inline = everywhere(subject, 'cluster', 'inlineManifests').flatMap((list) => list.items())
  const services = everywhere(subject, 'machine', 'extensionServiceConfigs')
  return [
    ...files.flatMap((path) => moved(path, String(path.value), 'extension services do not see files of the host')),
    ...variables.flatMap(([name, place]) =>
      moved(place, name.toLowerCase().replaceAll('_', '-'), 'machine.env is for Talos itself'),
    ),
    ...manifests.flatMap((url) => moved(url, String(url.value), 'extension services are no part of Kubernetes')),
    ...inline
      .filter((manifest) => /kind: *ExtensionServiceConfig/.test(String(manifest.get('contents').value)))
      .map((manifest) =>
        manifest
          .get('name')
          .key(
            'an ExtensionServiceConfig is a document of the machine configuration, and no manifest',
            'extensionServices: [{name: <service>, configFiles: []}]',
          ),
      ),
    ...services.map((list) =>
      list.key(
        'machine.extensionServiceConfigs is no field: each is a document of its own',
        rewriteFor(list) ?? 'extensionServices: [{name: <service>, configFiles: []}]',
      ),
    ),
  ]
}

/** A setting that is plainly meant for one of these services. */
function moved(place: Place, text: string, why: string): Problem[] {
  const name = [...CONFIGURED_SERVICES.keys()].find((one) => new RegExp(`(^|[^a-z])${one}([^a-z]|$)`).test(text))
  const rewrite = name && CONFIGURED_SERVICES.get(name)
  return rewrite ? [place.key(`${name} is not configured by this: ${why}`, rewrite)] : []
}

const rewriteFor = (list: Place): string | undefined =>
  list
    .items()
    .map((item) => CONFIGURED_SERVICES.get(nameOf(String(item.get('name').value))))
    .find((rewrite) => rewrite !== undefined)
