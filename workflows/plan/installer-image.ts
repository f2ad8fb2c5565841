/** Names the installer image of a node: its platform, its secure-boot state, its schematic, the target version. */
import semver from 'semver'
import type { TalosVersion } from '../model/cluster.ts'

/** sha256 of `customization: {}\n`: the Image Factory's schematic without extensions (a constant in talosctl too). */
export const VANILLA_SCHEMATIC = '376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'

export type Installer = {
  factory: string
  platform: string
  secureBoot: boolean
  schematic: string
  version: TalosVersion
}

/** `factory.talos.dev/metal-installer-secureboot/<schematic>:v1.13.9`; the platform form does not exist before 1.10. */
export function installerImage({ factory, platform, secureBoot, schematic, version }: Installer): string {
  const name = semver.lt(version, '1.10.0') ? 'installer' : `${platform}-installer`
  return `${factory}/${name}${secureBoot ? '-secureboot' : ''}/${schematic}:${version}`
}
