import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { parseAllDocuments } from 'yaml'
import type { Configuration } from '../../../workflows/model/observation.ts'
import { withoutSecret } from '../../../workflows/plan/kernel-arguments.ts'
import type { Resource } from './resources.ts'

/**
 * `MachineConfigs.config.talos.dev`: `v1alpha1` is what runs, `persistent` what was written to disk since the boot
 * (resources/config/machine_config.go). A node that booted from its disk has no `persistent` until somebody applies
 * something (controllers/config/acquire.go): what runs is then what is on disk, unless it was changed since, which only a
 * trial does. Nothing of the text leaves this function but its hash, and what its kernel arguments may show.
 */
export function readConfiguration(resources: readonly Resource[]): Configuration | undefined {
  const active = resources.find(({ id }) => id === 'v1alpha1')
  const persistent = resources.find(({ id }) => id === 'persistent')
  if (active?.spec === undefined || (persistent && persistent.spec === undefined)) return undefined
  const [runs, onDisk] = [textOf(active), persistent && textOf(persistent)]
  const hash = createHash('sha256')
    .update(`${runs}\0${onDisk ?? runs}`)
    .digest('hex')
  const kernelArguments = kernelArgumentsIn(runs)
  const known = { hash, ...(kernelArguments.length > 0 && { kernelArguments }) }
  if (onDisk !== undefined) return { ...known, pending: onDisk === runs ? 'nothing' : 'other-on-disk' }
  return { ...known, pending: active.version === '1' ? 'nothing' : 'perhaps-on-trial' }
}

const WithArguments = v.object({ machine: v.object({ install: v.object({ extraKernelArgs: v.array(v.string()) }) }) })

function kernelArgumentsIn(text: string): string[] {
  return parseAllDocuments(text, { logLevel: 'silent' }).flatMap((document) => {
    if (document.errors.length > 0) return []
    const found = v.safeParse(WithArguments, document.toJS())
    return found.success ? found.output.machine.install.extraKernelArgs.map(withoutSecret) : []
  })
}

/** The configuration that runs: full of secrets, for talosctl's eyes only. */
export function activeConfiguration(resources: readonly Resource[]): string | undefined {
  const active = resources.find(({ id }) => id === 'v1alpha1')
  return active?.spec === undefined ? undefined : textOf(active)
}

const textOf = ({ spec }: Resource): string => (typeof spec === 'string' ? spec : JSON.stringify(spec))
