import { lookup } from 'node:dns/promises'

/** The addresses that a host name stands for, as every tool here finds them; none where it is unknown. */
export const resolveHost = async (host: string): Promise<string[]> => {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch {
    return []
  }
}
