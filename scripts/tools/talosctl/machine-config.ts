import { createHash } from 'node:crypto'
import type { Configuration } from '../../../workflows/model/observation.ts'
import type { Resource } from './resources.ts'

/**
 * `MachineConfigs.config.talos.dev`: `v1alpha1` is what runs, `persistent` what was written to disk since the boot
 * (resources/config/machine_config.go). A node that booted from its disk has no `persistent` until somebody applies
 * something (controllers/config/acquire.go): what runs is then what is on disk, unless it was changed since, which only a
 * trial does. Nothing of the text leaves this function but its hash.
 */
export function readConfiguration(resources: readonly Resource[]): Configuration | undefined {
  const active = resources.find(({ id }) => id === 'v1alpha1')
  const persistent = resources.find(({ id }) => id === 'persistent')
  if (active?.spec === undefined || (persistent && persistent.spec === undefined)) return undefined
  const [runs, onDisk] = [textOf(active), persistent && textOf(persistent)]
  const hash = createHash('sha256')
    .update(`${runs}\0${onDisk ?? runs}`)
    .digest('hex')
  if (onDisk !== undefined) return { hash, pending: onDisk === runs ? 'nothing' : 'other-on-disk' }
  return { hash, pending: active.version === '1' ? 'nothing' : 'perhaps-on-trial' }
}

/** The configuration that runs: full of secrets, for talosctl's eyes only. */
export function activeConfiguration(resources: readonly Resource[]): string | undefined {
  const active = resources.find(({ id }) => id === 'v1alpha1')
  return active?.spec === undefined ? undefined : textOf(active)
}

const textOf = ({ spec }: Resource): string => (typeof spec === 'string' ? spec : JSON.stringify(spec))
