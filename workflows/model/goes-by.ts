import type { NodeDeclaration } from './cluster.ts'
import { isCalled } from './is-called.ts'
import { parseAddress } from './parse-address.ts'

/** Whether a word means the node: its host name, or any of its declared addresses in whatever spelling. */
export function goesBy(
  { name, address, otherAddresses = [] }: Pick<NodeDeclaration, 'name' | 'address' | 'otherAddresses'>,
  word: string,
): boolean {
  const meant = parseAddress(word)
  if (meant === undefined) return isCalled(name, word)
  return [address, ...otherAddresses].some((own) => (parseAddress(own) ?? own) === meant)
}
