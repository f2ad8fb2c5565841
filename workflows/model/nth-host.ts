import ipaddr from 'ipaddr.js'
import { parseNetwork } from './network.ts'

/** The n-th address of an IPv4 network, counted from the network's own, 0; undefined for one that is not in it. */
export function nthHost(network: string, n: number): string | undefined {
  const parsed = parseNetwork(network)
  if (parsed === undefined || parsed.family !== 4) return undefined
  const bytes = ipaddr.IPv4.parse(parsed.first).toByteArray()
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0) + n
  if (n < 0 || n >= 2 ** parsed.hostBits) return undefined
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}
