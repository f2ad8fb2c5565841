/** The pattern that semver.org publishes, with the `v` that Talos writes and people leave out. */
const VERSION =
  /^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*)?)(?:\+[\da-zA-Z-.]+)?$/

/**
 * `1.13.9` and `v1.13.9` are the same release; the answer has the v. Undefined for anything that is not a whole version.
 * Imports nothing because `--help` and flags go through here, and loading semver costs as much as bare Node's start.
 */
export function parseVersion(text: string): string | undefined {
  const version = VERSION.exec(text.trim())?.[1]
  return version === undefined ? undefined : `v${version}`
}
