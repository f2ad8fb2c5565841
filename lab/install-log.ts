import semver from 'semver'

/** What happens in an installation that machined writes down. */
export type InstallSaying =
  | { what: 'started'; image: string; disk: string }
  | { what: 'progress'; message: string }
  | { what: 'ended'; exitCode: number }

/** A line of machined's own log, and the text that the kernel's log gets, if it does. */
export type InstallLine = { machined: string; kernel?: string }

/**
 * The words of the release that runs, without those of the legacy upgrade. Talos 1.13 tells of start and end by its plain
 * logger, which writes to the kernel's log, too, and of progress by zap; from 1.14 on everything goes through zap, and
 * nothing to the kernel's log (internal/app/lifecycle/lifecycle.go at v1.13.9 and v1.14.1; seen at 1.13.9).
 */
export function installLine(release: string, saying: InstallSaying, at: Date): InstallLine {
  if (semver.gte(release, '1.14.0')) return { machined: structuredLine(saying, at) }
  switch (saying.what) {
    case 'started':
      return plain(`starting upgrade: installer_image=${saying.image}, disk=${saying.disk}`, at)
    case 'progress': {
      return { machined: zap(at, 'INFO', 'upgrade progress', { service: 'lifecycle', message: saying.message }) }
    }
    case 'ended':
      return saying.exitCode === 0
        ? plain('upgrade completed successfully: exit_code=0', at)
        : plain(`upgrade failed: exit_code=${saying.exitCode}`, at)
  }
}

/** A line of machined's plain logger: in its own log it begins with the time, the kernel's log has one of its own. */
export function plain(text: string, at: Date): Required<InstallLine> {
  return { machined: `${plainTime(at)} [talos] ${text}`, kernel: `[talos] ${text}` }
}

/** Go's log.LstdFlags with microseconds. */
export function plainTime(at: Date): string {
  return `${at.toISOString().replaceAll('-', '/').replace('T', ' ').replace('Z', '')}000`
}

function structuredLine(saying: InstallSaying, at: Date): string {
  const about = { component: 'machined', service: 'lifecycle' }
  switch (saying.what) {
    case 'started':
      return zap(at, 'INFO', 'starting upgrade', { ...about, installer_image: saying.image, disk: saying.disk })
    case 'progress':
      return zap(at, 'INFO', 'upgrade progress', { ...about, message: saying.message })
    case 'ended': {
      const fields = { ...about, exit_code: saying.exitCode }
      return saying.exitCode === 0
        ? zap(at, 'INFO', 'upgrade completed', fields)
        : zap(at, 'WARN', 'upgrade failed', fields)
    }
  }
}

const colours = { INFO: 34, WARN: 33 }

/** zap's console encoder as Talos sets it up: time, coloured level, message, and the fields as JSON with spaces. */
function zap(at: Date, level: keyof typeof colours, message: string, fields: Record<string, string | number>): string {
  const json = Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  return `${at.toISOString()} \x1b[${colours[level]}m${level}\x1b[0m ${message} {${json.join(', ')}}`
}
