/** What an installer image's name says. */
export type InstallerImage = {
  /** `metal`, `nocloud`, …; undefined for the platform-less `installer` of old */
  platform: string | undefined
  secureBoot: boolean
  /** undefined for an image without one (ghcr.io/siderolabs/installer) */
  schematic: string | undefined
  /** like `v1.13.9` */
  version: string
}

const pattern =
  /^[^/]+(?:\/[^/]+)*?\/(?:(?<platform>[a-z0-9]+)-)?installer(?<secureBoot>-secureboot)?(?:\/(?<schematic>[0-9a-f]{64}))?:(?<version>v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/

/**
 * Reads `<host>/<platform>-installer[-secureboot]/<schematic>:<version>`, the older `<host>/installer/<schematic>:…`
 * and `ghcr.io/siderolabs/installer:…`; undefined for anything else, which no registry of the lab holds.
 */
export function parseInstallerImage(name: string): InstallerImage | undefined {
  const groups = pattern.exec(name.replace(/@sha256:[0-9a-f]{64}$/, ''))?.groups
  if (groups?.version === undefined) return undefined
  return {
    platform: groups.platform,
    secureBoot: groups.secureBoot !== undefined,
    schematic: groups.schematic,
    version: groups.version,
  }
}
