import type { OtherSlot } from '../../../workflows/model/observation.ts'

/**
 * machined keeps 15 compressed chunks of 64 KiB and one that it fills (runtime/logging/circular.go): what is shorter has
 * not lost its beginning.
 */
const NEVER_WRAPPED_BELOW_BYTES = 15 * 65_536

/** The first line that machined ever logs in a boot (v1alpha1_controller.go). */
const FIRST_LINE = /machined logger initialized/

/**
 * What machined's log says since the boot about the slot that does not run (internal/app/lifecycle/lifecycle.go):
 * `starting upgrade: installer_image=…, disk=…`, then `upgrade completed successfully: exit_code=0` or `upgrade failed:
 * exit_code=1`. A start without an end is told apart by whether an installer runs, which the log does not say: while
 * that is not known, it counts as running. Trouble after an installation that was finished in the same boot is `cut-off`
 * even where the installer ended with a code: what waits is in doubt, and one more try could cost the slot that runs.
 */
export function readOtherSlot(log: readonly string[], installerRuns: boolean | undefined): OtherSlot {
  let slot: OtherSlot = { state: 'quiet' }
  let finishedBefore = false
  for (const line of log) {
    const image = /\bstarting upgrade: installer_image=(\S+?),? disk=/.exec(line)?.[1]
    if (image !== undefined) {
      finishedBefore ||= slot.state === 'installed'
      slot = { state: 'installing', image }
    }
    if (slot.state !== 'installing') continue
    if (/\bupgrade completed successfully: exit_code=0\b/.test(line)) slot = { state: 'installed', image: slot.image }
    const code = /\bupgrade failed: exit_code=(-?\d+)/.exec(line)?.[1]
    if (code !== undefined)
      slot = finishedBefore
        ? { state: 'cut-off', image: slot.image }
        : { state: 'install-failed', image: slot.image, exitCode: Number(code) }
  }
  if (slot.state === 'installing' && installerRuns === false) return { state: 'cut-off', image: slot.image }
  const bytes = log.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
  const whole = log.length > 0 && (FIRST_LINE.test(log[0] ?? '') || bytes < NEVER_WRAPPED_BELOW_BYTES)
  return slot.state === 'quiet' && !whole ? { state: 'unknown' } : slot
}

/** When the last installation of the boot ended, from dmesg: machined's own log has no times. ISO, as Talos prints it. */
export function readInstalledAt(dmesg: readonly string[]): string | undefined {
  return dmesg
    .map((line) => /\[(\d{4}-\d\d-\d\dT[\d:.]+Z)\]: .*\bupgrade completed successfully: exit_code=0\b/.exec(line)?.[1])
    .findLast((at) => at !== undefined)
}
