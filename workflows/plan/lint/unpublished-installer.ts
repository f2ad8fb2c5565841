import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { releaseOf } from '../../model/releases.ts'
import { VANILLA_SCHEMATIC } from '../installer-image.ts'
import { ofNode, patched, type Subject } from './subject.ts'

/** Newer releases have an installer at the Image Factory alone. */
export const unpublishedInstaller = ({ talconfig, nodes }: Subject): Problem[] =>
  nodes.flatMap((node) =>
    [ofNode(node, 'talosImageURL'), patched(node, 'machine', 'install', 'image')].flatMap((image) =>
      image ? unpublished(image, String(talconfig.get('talosVersion').value)) : [],
    ),
  )

function unpublished(image: Place, talosVersion: string): Problem[] {
  const written = /^ghcr\.io\/siderolabs\/installer(?::(?<tag>.+))?$/.exec(String(image.value))
  if (!written) return []
  // talhelper puts the version behind a talosImageURL
  const { tag } = written.groups ?? {}
  const version = tag ?? talosVersion
  if (releaseOf(version)?.ghcrInstaller !== false) return []
  const factory = `factory.talos.dev/metal-installer/${VANILLA_SCHEMATIC}`
  return [
    warning(
      image.key(
        `ghcr.io/siderolabs/installer is not published for ${version}: nothing could be installed from it`,
        tag === undefined ? factory : `${factory}:${tag}`,
      ),
    ),
  ]
}
