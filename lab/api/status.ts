import { status } from '@grpc/grpc-js'
import { ApiError } from '../lab-node.ts'

/** A gRPC status: number, Talos' spelling of it in `rpc error: code = …`, and the text. */
export type Status = { code: number; name: string; message: string }

/** What a client is told about a failure; anything that is no refusal of ours is Unknown, as in grpc-go. */
export function statusOf(failure: unknown): Status {
  const name = failure instanceof ApiError ? failure.code : 'UNKNOWN'
  const text = failure instanceof Error ? failure.message : String(failure)
  return { code: status[name], name: name === 'CANCELLED' ? 'Canceled' : camel(name), message: text }
}

const camel = (name: string): string =>
  name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
