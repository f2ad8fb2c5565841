import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import type { Inspection } from '../../../workflows/model/observation.ts'
import { isDone } from '../ended.ts'
import { talosctlCommands } from '../talosctl.ts'
import type { Ask, AskOptions } from './ask.ts'
import { failureOf } from './failure-of.ts'
import { otherSlots, readBootId, UNREAD } from './observe-nodes.ts'
import { readResources } from './resources.ts'
import { readExtensions, readStage } from './specs.ts'
import { readVersions } from './versions.ts'

/** What one node runs and what waits in its other slot: the part of an observation that an upgrade changes. */
export async function inspect(ask: Ask, node: NodeDeclaration, options: AskOptions): Promise<Result<Inspection>> {
  const { address, name } = node
  const first = await ask.one(address, talosctlCommands.version, options)
  const version = readVersions([address], first).get(address)
  if (!version?.ok) return { ok: false, failure: { ...(version?.failure ?? failure('garbage-answer')), node: name } }
  const [bootIdAnswer, stageAnswer, extensionsAnswer, slots] = await Promise.all([
    ask.one(address, talosctlCommands.bootId, options),
    ask.one(address, (at) => talosctlCommands.get(at, 'machinestatus', 'machine'), options),
    ask.one(address, (at) => talosctlCommands.get(at, 'extensions'), options),
    otherSlots(ask, [{ address, version: version.value }], options),
  ])
  const bootId = readBootId(bootIdAnswer)
  if (!bootId.ok) return { ok: false, failure: { ...bootId.failure, node: name } }
  for (const answer of [stageAnswer, extensionsAnswer]) {
    if (!isDone(answer)) {
      return { ok: false, failure: { ...failureOf(answer), node: name } }
    }
  }
  const status = readStage(readResources(stageAnswer.stdout)[0])
  const images = readExtensions(readResources(extensionsAnswer.stdout))
  if (!status || !images) {
    const lacks = status ? 'extensions' : 'stage'
    return { ok: false, failure: failure('garbage-answer', { node: name, detail: `its ${lacks} can not be read` }) }
  }
  const otherSlot = slots.get(address) ?? UNREAD
  return { ok: true, value: { version: version.value, bootId: bootId.value, ...status, ...images, otherSlot } }
}
