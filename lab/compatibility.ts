import semver from 'semver'

/**
 * What an installer accepts as its host, by minor release: `from` is the oldest, `below` the first one that is too new
 * (talos pkg/machinery/compatibility). The lab keeps its own copy: it plays the installer, not the tool under test.
 */
const hosts: Record<string, { from: string; below: string }> = {
  '1.10': { from: '1.8.0', below: '1.12.0' },
  '1.11': { from: '1.9.0', below: '1.13.0' },
  '1.12': { from: '1.10.0', below: '1.14.0' },
  '1.13': { from: '1.11.0', below: '1.15.0' },
  '1.14': { from: '1.12.0', below: '1.16.0' },
}

/** The installer's own words when its release cannot replace `host`; undefined when it can. Pre-releases count as releases. */
export function preflightObjection(installer: string, host: string): string | undefined {
  const target = semver.parse(installer)
  const running = semver.coerce(host)
  const accepted = target === null ? undefined : hosts[`${target.major}.${target.minor}`]
  if (target === null || running === null || accepted === undefined) {
    return `upgrades to version ${target?.version ?? installer} are not supported`
  }
  if (semver.lt(running, accepted.from)) {
    return `host version ${running.version} is too old to upgrade to Talos ${target.version}`
  }
  if (semver.gte(running, accepted.below)) {
    return `host version ${running.version} is too new to downgrade to Talos ${target.version}`
  }
  return undefined
}
