import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { Inspection } from '../../../workflows/model/observation.ts'
import { isDone } from '../ended.ts'
import { talosctlCommands } from '../talosctl.ts'
import type { Ask, AskOptions } from './ask.ts'
import { failureOf } from './failure-of.ts'
import { otherSlots, readBootId, UNREAD } from './observe-nodes.ts'
import { readResources } from './resources.ts'
import { readExtensions, readStage } from './specs.ts'
import { readVersions } from './versions.ts'

/** What does not change within a boot. */
type OfBoot = Pick<Inspection, 'version' | 'schematic' | 'extensions'>

/** The boot in which a machine was found last, by its address, and what is known of that boot. */
export type Boots = Map<string, { bootId: string; told?: OfBoot }>

/**
 * What one node runs and what waits in its other slot: the part of an observation that an upgrade changes. What was told of the boot
 * that runs is not asked for again.
 */
export async function inspect(
  ask: Ask,
  boots: Boots,
  node: NodeDeclaration,
  options: AskOptions,
): Promise<Result<Inspection>> {
  const { address, name } = node
  const fail = (why: Failure) => ({ ok: false as const, failure: { ...why, node: name } })
  const last = boots.get(address)
  const known = last?.told
  const told: Promise<Result<OfBoot>> = known
    ? Promise.resolve({ ok: true, value: known })
    : tellBoot(ask, address, options)
  const version = told.then((said) => (said.ok ? said.value.version : undefined))
  const [said, stageAnswer, slots] = await Promise.all([
    told,
    ask.one(address, (at) => talosctlCommands.get(at, 'machinestatus', 'machine'), options),
    otherSlots(ask, [{ address, version }], options),
  ])
  if (!said.ok) return fail(said.failure)
  // the boot id after all else: where it is that of before, all else was told by that boot
  const bootId = readBootId(await ask.one(address, talosctlCommands.bootId, options))
  if (!bootId.ok) return fail(bootId.failure)
  const isSame = bootId.value === last?.bootId
  if (last && !isSame) {
    // some of it may have been told by the boot before
    boots.set(address, { bootId: bootId.value })
    return inspect(ask, boots, node, options)
  }
  if (!isDone(stageAnswer)) return fail(failureOf(stageAnswer))
  const status = readStage(readResources(stageAnswer.stdout)[0])
  if (!status) return fail(failure('garbage-answer', { detail: 'its stage can not be read' }))
  // while a machine boots not all of its extensions are told
  const isWhole = isSame && status.stage === 'running'
  boots.set(address, { bootId: bootId.value, ...(isWhole && { told: said.value }) })
  const otherSlot = slots.get(address) ?? UNREAD
  return { ok: true, value: { ...said.value, bootId: bootId.value, ...status, otherSlot } }
}

async function tellBoot(ask: Ask, address: string, options: AskOptions): Promise<Result<OfBoot>> {
  const [versionAnswer, extensionsAnswer] = await Promise.all([
    ask.one(address, talosctlCommands.version, options),
    ask.one(address, (at) => talosctlCommands.get(at, 'extensions'), options),
  ])
  const version = readVersions([address], versionAnswer).get(address)
  if (!version?.ok) return { ok: false, failure: version?.failure ?? failure('garbage-answer') }
  if (!isDone(extensionsAnswer)) return { ok: false, failure: failureOf(extensionsAnswer) }
  const images = readExtensions(readResources(extensionsAnswer.stdout))
  if (!images) return { ok: false, failure: failure('garbage-answer', { detail: 'its extensions can not be read' }) }
  return { ok: true, value: { version: version.value, ...images } }
}
