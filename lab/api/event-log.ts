import { randomBytes } from 'node:crypto'
import type { LabNode, NodeEvent } from '../lab-node.ts'
import { message } from './message.ts'
import { stageNumber } from './stage-number.ts'

type RuntimeEvent = Extract<NodeEvent, { type: 'runtime' }>

/** One event as `Events` streams it (machine.Event without metadata). */
export type LoggedEvent = { id: string; actor_id: string; data: { type_url: string; value: Uint8Array }; at: Date }

const capacity = 1000

/** The runtime events of one node since its boot: a reboot forgets them, as on a real machine. */
export class EventLog {
  readonly #node: LabNode
  readonly #listeners = new Set<(event: LoggedEvent) => void>()
  readonly #stop: () => void
  #events: LoggedEvent[] = []
  #bootId: string

  constructor(node: LabNode) {
    this.#node = node
    this.#bootId = node.state().bootId
    this.#stop = node.on((event) => {
      this.#forgetOldBoot()
      if (event.type === 'runtime') this.#append(event)
    })
  }

  /** The events since boot, oldest first. */
  history(): readonly LoggedEvent[] {
    this.#forgetOldBoot()
    return this.#events
  }

  /** Calls `listener` for every further event; returns how to stop that. */
  on(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#stop()
  }

  #forgetOldBoot(): void {
    const { bootId } = this.#node.state()
    if (bootId === this.#bootId) return
    this.#bootId = bootId
    this.#events = []
  }

  #append({ event, actorId }: RuntimeEvent): void {
    const at = new Date()
    const logged = { id: xid(at), actor_id: actorId ?? '', data: packed(event), at }
    this.#events.push(logged)
    if (this.#events.length > capacity) this.#events.shift()
    for (const listener of [...this.#listeners]) listener(logged)
  }
}

function packed(event: RuntimeEvent['event']): LoggedEvent['data'] {
  switch (event.kind) {
    case 'sequence':
      return any('SequenceEvent', {
        sequence: event.sequence,
        action: event.action,
        ...(event.error === undefined ? {} : { error: event.error }),
      })
    case 'phase':
      return any('PhaseEvent', { phase: event.phase, action: event.action })
    case 'task':
      return any('TaskEvent', { task: event.task, action: event.action })
    case 'machine-status':
      return any('MachineStatusEvent', {
        stage: stageNumber[event.stage],
        status: { ready: event.ready, unmet_conditions: event.unmet },
      })
  }
}

const any = (type: string, fields: object): LoggedEvent['data'] => ({
  type_url: `talos/runtime/machine.${type}`,
  value: message.encode(`machine.${type}`, fields),
})

const processId = randomBytes(5)
let counter = randomBytes(3).readUIntBE(0, 3)

/** The sortable ids of Talos' events (github.com/rs/xid): seconds, process, counter, in base32hex. */
function xid(at: Date): string {
  counter = (counter + 1) & 0xffffff
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(Math.floor(at.getTime() / 1000), 0)
  processId.copy(bytes, 4)
  bytes.writeUIntBE(counter, 9, 3)
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('') + '0000'
  return (bits.match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2).toString(32)).join('')
}
