/** What machined's log says about the slot that does not run; no resource says it. */
import semver from 'semver'
import type { OtherSlot } from '../../../workflows/model/observation.ts'

/**
 * machined keeps 15 compressed chunks of 64 KiB and one that it fills (runtime/logging/circular.go): what is shorter has
 * not lost its beginning.
 */
const NEVER_WRAPPED_BELOW_BYTES = 15 * 65_536

/** The first line that machined ever logs in a boot (v1alpha1_controller.go). */
const FIRST_LINE = /machined logger initialized/

/** How the nodes of a release word an installation, in lines without colours and without their time. */
type Wording = {
  /** range of the releases that say so */
  releases: string
  begins: RegExp
  ends: RegExp
  /** with the installer's exit code, where it is told */
  fails: RegExp
}

/** One row for each release that is known. Of a release without a row nobody knows what its log means. */
const WORDINGS: readonly Wording[] = [
  {
    // one call installs and reboots, as a sequence of tasks (v1alpha1_sequencer_tasks.go): nothing waits for long
    releases: '>=1.12.0-beta.0 <1.13.0-beta.0',
    begins: /^\[talos\] task upgrade \(\d+\/\d+\): performing upgrade via "(?<image>[^"]+)"/,
    ends: /^\[talos\] task upgrade \(\d+\/\d+\): upgrade successful\b/,
    fails: /^\[talos\] task upgrade \(\d+\/\d+\): failed: /,
  },
  {
    // internal/app/lifecycle/lifecycle.go, by the standard logger
    releases: '>=1.13.0-beta.0 <1.14.0-beta.0',
    begins: /^\[talos\] starting upgrade: installer_image=(?<image>\S+?),? disk=/,
    ends: /^\[talos\] upgrade completed successfully: exit_code=0\b/,
    fails: /^\[talos\] upgrade failed: exit_code=(?<code>-?\d+)/,
  },
  {
    // the same file, by zap: level, message, fields as JSON
    releases: '>=1.14.0-beta.0 <1.15.0-0',
    begins: /^[A-Z]+\s+starting upgrade \{.*"installer_image":\s*"(?<image>[^"]+)"/,
    ends: /^[A-Z]+\s+upgrade completed \{.*"exit_code":\s*0\b/,
    fails: /^[A-Z]+\s+upgrade failed \{.*"exit_code":\s*(?<code>-?\d+)/,
  },
]

/** Colours, as talosctl 1.13 passes them on and as 1.14 spells them out (safeout). */
const COLOURS = new RegExp(String.raw`(?:${String.fromCharCode(27)}|\\x1b)\[[0-9;]*m`, 'g')

/** `2026/11/29 01:46:24.577361` of the standard logger, or `2026-11-29T01:46:24.577Z` of zap; both are in UTC. */
const TIME = /^(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d{4})? /

/** A line as it is worded, and when it was written. */
function dated(line: string): { at?: string; text: string } {
  const plain = line.replace(COLOURS, '')
  const [whole, year, month, day, time, fraction = '', zone = 'Z'] = TIME.exec(plain) ?? []
  if (whole === undefined) return { text: plain }
  const at = new Date(`${year}-${month}-${day}T${time}${fraction.slice(0, 4)}${zone}`)
  const text = plain.slice(whole.length)
  return Number.isNaN(at.getTime()) ? { text } : { at: at.toISOString(), text }
}

/**
 * What machined's log says since the boot: that an installation began, and how it ended. A start without an end is told
 * apart by whether an installer runs, which the log does not say: while that is not known, it counts as running. Trouble
 * after an installation that was finished in the same boot is `cut-off` even where the installer ended with a code: what
 * waits is in doubt, and one more try could cost the slot that runs. So it is where the log lost its beginning, which may
 * have told of such an end. `version` is that of the node.
 */
export function readOtherSlot(log: readonly string[], version: string, installerRuns: boolean | undefined): OtherSlot {
  const wording = WORDINGS.find(({ releases }) => semver.satisfies(version, releases, { includePrerelease: true }))
  if (!wording) return { state: 'unknown', why: 'wording' }
  // machined logs from its first moment on: what is empty was not read
  if (log.length === 0) return { state: 'unknown', why: 'unread' }
  let slot: OtherSlot = { state: 'quiet' }
  let over: string | undefined
  for (const line of log) {
    if (!line.includes('upgrade')) continue
    const { at, text } = dated(line)
    const image = wording.begins.exec(text)?.groups?.image
    if (image !== undefined) {
      if (slot.state === 'installed') over = slot.image
      slot = { state: 'installing', image }
    }
    if (slot.state !== 'installing') continue
    if (wording.ends.test(text)) slot = { state: 'installed', image: slot.image, ...(at === undefined ? {} : { at }) }
    const failed = wording.fails.exec(text)
    if (!failed) continue
    const code = failed.groups?.code
    slot =
      over !== undefined
        ? { state: 'cut-off', image: slot.image, over }
        : { state: 'install-failed', image: slot.image, ...(code === undefined ? {} : { exitCode: Number(code) }) }
  }
  if (slot.state === 'installing' && installerRuns === false)
    return { state: 'cut-off', image: slot.image, ...(over === undefined ? {} : { over }) }
  const bytes = log.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
  const whole = FIRST_LINE.test(log[0] ?? '') || bytes < NEVER_WRAPPED_BELOW_BYTES
  const tellsAll = slot.state === 'installed' || slot.state === 'installing' || slot.state === 'cut-off'
  return whole || tellsAll ? slot : { state: 'unknown', why: 'wrapped' }
}
