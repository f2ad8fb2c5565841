import { join } from 'node:path'
import { EXIT_CODES } from '../../workflows/model/exit-code.ts'
import { failure } from '../../workflows/model/failure.ts'
import type { Call } from '../cli/command.ts'
import type { Printout } from '../cli/printout.ts'
import { reject } from '../cli/reject.ts'
import { workflowCommand } from '../cli/workflow-command.ts'
import { readSource } from '../declaration/load-cluster.ts'
import { openRunFolder, runFolder } from '../engine/run-folder.ts'
import { declaredSchematics } from './declared-schematics.ts'
import { factoryUrl, registerSchematics } from './register-schematics.ts'
import { unregistered } from './registered.ts'

const TIMEOUT_MS = 30_000

/**
 * Makes the cluster's Image Factory know every schematic of the talconfig that was rendered last. A second run posts
 * nothing; with `--dry-run` nothing is posted, and 2 says that something would be.
 */
export async function registerClusterSchematics(
  { cluster, layout, common }: Call,
  { factory = cluster.operations.upgrade.factory }: { factory?: string },
): Promise<Printout> {
  const stateDir = runFolder(layout.folder)
  const path = join(layout.folder, layout.talconfig)
  const rendered = readSource(path)
  if (rendered === undefined) {
    const hint = workflowCommand('gen-config', cluster.id, layout.root)
    const missing = failure('declaration-invalid', { detail: `there is no ${path}`, hint })
    return { exitCode: reject([missing], common), text: '' }
  }
  const declared = declaredSchematics(rendered)
  if (!declared.ok) return { exitCode: reject([declared.failure], common), text: '' }

  const at = { factory: factoryUrl(factory), cacheFile: join(stateDir, 'schematics.json') }
  const ids = declared.value.map(({ id }) => id)
  const missing = unregistered(ids, at)
  const known = ids.filter((id) => !missing.includes(id))
  if (!common.dryRun && missing.length > 0) {
    openRunFolder(stateDir)
    const done = await registerSchematics(declared.value, { ...at, timeoutMs: TIMEOUT_MS })
    if (!done.ok) return { exitCode: reject(done.failure, common), text: '' }
  }
  const result = common.dryRun ? { pending: missing } : { posted: missing }
  return {
    exitCode: common.dryRun && missing.length > 0 ? EXIT_CODES.pending : EXIT_CODES.done,
    text: resultText(common.output, { v: 1, cluster: cluster.name, factory: at.factory, ...result, known }),
  }
}

function resultText(
  output: Call['common']['output'],
  result: { v: 1; cluster: string; factory: string; pending?: string[]; posted?: string[]; known: string[] },
): string {
  if (output === 'json') return `${JSON.stringify(result)}\n`
  const { pending = [], posted = [], known, factory } = result
  // quiet says nothing of success
  if (output === 'quiet') return ''
  const line = (what: string) => (id: string) => `${id}  ${what}\n`
  return [
    ...posted.map(line(`registered at ${factory}`)),
    ...pending.map(line(`would be registered at ${factory}`)),
    ...known.map(line('registered before')),
  ].join('')
}
