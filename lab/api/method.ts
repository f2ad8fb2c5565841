import type { LabNode } from '../lab-node.ts'
import type { EventLog } from './event-log.ts'
import { message } from './message.ts'
import type { ResourceStore } from './resource-store.ts'

/** What a handler may know about the call it answers. */
export type Call = {
  node: LabNode
  /** every node of the cluster, this one included */
  cluster: readonly LabNode[]
  events: EventLog
  resources: ResourceStore
  roles: readonly string[]
  /** aborted when the client hangs up, its deadline passes, or the connection is lost */
  signal: AbortSignal
}

/** One RPC of a node's own API (machined's side of it), on encoded messages. */
export type Method = {
  serve(call: Call, request: Uint8Array): AsyncIterable<Uint8Array>
}

type Types = { request: string; response: string }

/** A method with one answer. */
export function unary<Request>(
  types: Types,
  answer: (call: Call, request: Request) => object | Promise<object>,
): Method {
  return {
    async *serve(call, request) {
      yield message.encode(types.response, await answer(call, message.decode<Request>(types.request, request)))
    },
  }
}

/** A method that answers with a stream. */
export function streaming<Request>(
  types: Types,
  answer: (call: Call, request: Request) => AsyncIterable<object>,
): Method {
  return {
    async *serve(call, request) {
      for await (const part of answer(call, message.decode<Request>(types.request, request))) {
        yield message.encode(types.response, part)
      }
    },
  }
}
