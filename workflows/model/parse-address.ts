import ipaddr from 'ipaddr.js'

/**
 * An IPv4 or IPv6 address in the one spelling that two equal addresses share; undefined for anything else. Stricter
 * than ipaddr.js, which like inet_aton reads `127.1` and `0x7f.0.0.1` as addresses.
 */
export function parseAddress(text: string): string | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toString()
  if (ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text).toString()
  return undefined
}
