import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { Inspection } from '../../../workflows/model/observation.ts'
import { isDone } from '../ended.ts'
import { talosctlCommands } from '../talosctl.ts'
import type { Ask, AskOptions } from './ask.ts'
import { failureOf } from './failure-of.ts'
import { endOf, goesOn } from './goes-on.ts'
import { otherSlots, readBootId, UNREAD } from './observe-nodes.ts'
import { readResources } from './resources.ts'
import { readExtensions, readStage } from './specs.ts'
import { readVersions } from './versions.ts'

/** What does not change within a boot. */
type OfBoot = Pick<Inspection, 'version' | 'schematic' | 'extensions'>

/**
 * The boot in which a machine was found last, by its address, and what is known of that boot: what it runs, whole or only its
 * version, and the end of the log that was read before its id was.
 */
export type Boots = Map<string, Known>

type Known = { bootId: string; told?: OfBoot; version?: string; logEnd?: readonly string[] }

/**
 * What one node runs and what waits in its other slot: the part of an observation that an upgrade changes. What was told of the boot
 * that runs is not asked for again. Without `slot` what waits is left unread.
 */
export async function inspect(
  ask: Ask,
  boots: Boots,
  node: NodeDeclaration,
  { slot: readsSlot, ...options }: AskOptions & { slot: boolean },
): Promise<Result<Inspection>> {
  const { address, name } = node
  const fail = (why: Failure) => ({ ok: false as const, failure: { ...why, node: name } })
  const last = boots.get(address)
  const told: Promise<Result<OfBoot>> = last?.told
    ? Promise.resolve({ ok: true, value: last.told })
    : tellBoot(ask, address, last?.version, options)
  const version = told.then((said) => (said.ok ? said.value.version : undefined))
  const stageAnswered = ask.one(address, (at) => talosctlCommands.get(at, 'machinestatus', 'machine'), options)
  // the log after all else, where it may tell that all else was told by the boot that is known
  if (last?.told && last.logEnd) await stageAnswered
  const [said, stageAnswer, slots] = await Promise.all([
    told,
    stageAnswered,
    readsSlot ? otherSlots(ask, [{ address, version }], options) : undefined,
  ])
  if (!said.ok) return fail(said.failure)
  const { slot: otherSlot, log } = slots?.get(address) ?? { slot: UNREAD }
  // the boot id after all else: where it is that of before, all else was told by that boot
  const bootId = last?.told ? await bootOf(ask, boots, address, log, options) : await readNow(ask, address, options)
  if (!bootId.ok) return fail(bootId.failure)
  const isSame = bootId.value === last?.bootId
  if (last && !isSame) {
    // some of it may have been told by the boot before
    boots.set(address, { bootId: bootId.value })
    return inspect(ask, boots, node, { ...options, slot: readsSlot })
  }
  if (!isDone(stageAnswer)) return fail(failureOf(stageAnswer))
  const status = readStage(readResources(stageAnswer.stdout)[0])
  if (!status) return fail(failure('garbage-answer', { detail: 'its stage can not be read' }))
  // while a machine boots not all of its extensions are told
  const isWhole = isSame && status.stage === 'running'
  const logEnd = log && endOf(log)
  boots.set(address, {
    bootId: bootId.value,
    ...(isSame && { version: said.value.version }),
    ...(isWhole && { told: said.value }),
    ...(logEnd && { logEnd }),
  })
  return { ok: true, value: { ...said.value, bootId: bootId.value, ...status, otherSlot } }
}

const readNow = async (ask: Ask, address: string, options: AskOptions) =>
  readBootId(await ask.one(address, talosctlCommands.bootId, options))

/**
 * The boot that a log is of which was just read. Where it is the one that is known and went on nobody is asked: then whatever was
 * told between the two is of that boot.
 */
export async function bootOf(
  ask: Ask,
  boots: Boots,
  address: string,
  log: readonly string[] | undefined,
  options: AskOptions,
): Promise<ReturnType<typeof readBootId>> {
  const last = boots.get(address)
  if (last?.logEnd && log && goesOn(last.logEnd, log)) return { ok: true, value: last.bootId }
  return readNow(ask, address, options)
}

/** `known`: the version of the boot that is known; whether it is that one which tells the rest shows in the end. */
async function tellBoot(
  ask: Ask,
  address: string,
  known: string | undefined,
  options: AskOptions,
): Promise<Result<OfBoot>> {
  const [version, extensionsAnswer] = await Promise.all([
    known === undefined
      ? ask
          .one(address, talosctlCommands.version, options)
          .then((answer) => readVersions([address], answer).get(address))
      : { ok: true as const, value: known },
    ask.one(address, (at) => talosctlCommands.get(at, 'extensions'), options),
  ])
  if (!version?.ok) return { ok: false, failure: version?.failure ?? failure('garbage-answer') }
  if (!isDone(extensionsAnswer)) return { ok: false, failure: failureOf(extensionsAnswer) }
  const images = readExtensions(readResources(extensionsAnswer.stdout))
  if (!images) return { ok: false, failure: failure('garbage-answer', { detail: 'its extensions can not be read' }) }
  return { ok: true, value: { version: version.value, ...images } }
}
