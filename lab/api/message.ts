import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const files = ['common', 'machine', 'cluster', 'storage', 'cosi', 'resources']
const root = new protobuf.Root().loadSync(
  files.map((name) => fileURLToPath(new URL(`../proto/${name}.proto`, import.meta.url))),
  { keepCase: true },
)

/**
 * The protobuf messages of lab/proto, by full name (`machine.RebootRequest`). Objects use the field names of the .proto
 * files; 64-bit numbers are decimal strings when decoded, because a uint64 member id does not fit a JS number, and enums
 * are their names.
 */
export const message = {
  encode(type: string, fields: object): Uint8Array {
    const known = root.lookupType(type)
    return known.encode(known.fromObject(fields)).finish()
  },
  decode<Fields>(type: string, bytes: Uint8Array): Fields {
    const known = root.lookupType(type)
    return known.toObject(known.decode(bytes), { longs: String, enums: String, defaults: true, oneofs: true }) as Fields
  },
  /** google.protobuf.Timestamp of a moment */
  timestamp: (at: Date): { seconds: number; nanos: number } => ({
    seconds: Math.floor(at.getTime() / 1000),
    nanos: (at.getTime() % 1000) * 1e6,
  }),
}
