import type { NodeDeclaration } from './cluster.ts'

/** A node's addresses as they are declared for it: the first is where it is asked. */
export function addressesOf([address = '', ...more]: readonly string[]): Pick<
  NodeDeclaration,
  'address' | 'otherAddresses'
> {
  const others = [...new Set(more)].filter((other) => other !== address)
  return { address, ...(others.length > 0 && { otherAddresses: others }) }
}
