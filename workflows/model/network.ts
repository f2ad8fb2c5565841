import ipaddr from 'ipaddr.js'
import { parseAddress } from './parse-address.ts'

/** A network such as 10.42.0.0/16 or fd00:42::/56. */
export type Network = {
  family: 4 | 6
  prefix: number
  /** bits that tell hosts apart */
  hostBits: number
  /** the network in its one spelling; equal to what was written unless that has host bits */
  canonical: string
  first: string
  /** IPv4 only: the broadcast address */
  last: string | undefined
  contains(address: string): boolean
  overlaps(other: Network): boolean
}

/** Undefined for what is no network. Host bits are allowed here, and show in `canonical`. */
export function parseNetwork(text: string): Network | undefined {
  const [host = '', prefixText = ''] = text.split('/')
  const address = parseAddress(host)
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN
  if (address === undefined) return undefined
  const family = address.includes(':') ? 6 : 4
  const bits = family === 4 ? 32 : 128
  if (!(prefix <= bits)) return undefined
  const cidr = `${address}/${prefix}`
  const kind = family === 4 ? ipaddr.IPv4 : ipaddr.IPv6
  const first = kind.networkAddressFromCIDR(cidr).toString()
  const range: [ipaddr.IPv4 | ipaddr.IPv6, number] = [ipaddr.parse(first), prefix]
  return {
    family,
    prefix,
    hostBits: bits - prefix,
    canonical: `${first}/${prefix}`,
    first,
    last: family === 4 && prefix < 31 ? ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toString() : undefined,
    contains: (other) => within(other, range),
    overlaps: (other) =>
      other.family === family &&
      (other.prefix >= prefix ? within(other.first, range) : within(first, [ipaddr.parse(other.first), other.prefix])),
  }
}

function within(address: string, [network, prefix]: [ipaddr.IPv4 | ipaddr.IPv6, number]): boolean {
  const parsed = parseAddress(address)
  if (parsed === undefined) return false
  const host = ipaddr.parse(parsed)
  return host.kind() === network.kind() && host.match(network as never, prefix)
}
