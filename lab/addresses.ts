import { createServer } from 'node:net'

/** What keeps the lab from an address: none of this machine's, or taken. */
export type AddressProblem = { address: string; port: number; problem: 'not-here' | 'taken' | string }

/** Tries every port that the lab will listen on; returns what stands in the way. */
export async function addressProblems(
  nodes: readonly { address: string; role: 'controlplane' | 'worker' }[],
  /** `https://127.0.101.10:6443`, where the lab runs Kubernetes */
  kubernetesEndpoint?: string,
): Promise<AddressProblem[]> {
  const wanted = nodes.flatMap(({ address, role }) =>
    (role === 'controlplane' ? [50000, 2379, 2380, ...(kubernetesEndpoint ? [6443] : [])] : [50000]).map((port) => ({
      address,
      port,
    })),
  )
  const vip = kubernetesEndpoint && virtualIp(kubernetesEndpoint, nodes)
  if (vip) wanted.push({ address: vip, port: 6443 })
  const problems = await Promise.all(wanted.map(({ address, port }) => tryListening(address, port)))
  return problems.filter((problem) => problem !== undefined)
}

/** The host of the endpoint, where the lab has to serve it besides the control planes: a loopback address of its own. */
export function virtualIp(endpoint: string, nodes: readonly { address: string }[]): string | undefined {
  const host = new URL(endpoint).hostname
  return host.startsWith('127.') && !nodes.some(({ address }) => address === host) ? host : undefined
}

function tryListening(address: string, port: number): Promise<AddressProblem | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const problem =
        error.code === 'EADDRNOTAVAIL' ? 'not-here' : error.code === 'EADDRINUSE' ? 'taken' : error.message
      resolve({ address, port, problem })
    })
    server.listen(port, address, () => server.close(() => resolve(undefined)))
  })
}

/** The sentences for the person who wanted the lab. */
export function explainAddressProblems(problems: readonly AddressProblem[], platform: string): string[] {
  const missing = [...new Set(problems.filter(({ problem }) => problem === 'not-here').map(({ address }) => address))]
  const rest = problems.filter(({ problem }) => problem !== 'not-here')
  return [
    ...(missing.length === 0 ? [] : [`These addresses are not on this machine: ${missing.join(', ')}`]),
    ...(missing.length > 0 && platform === 'darwin'
      ? [
          'macOS has only 127.0.0.1 by itself; add the others with:',
          ...missing.map((a) => `  sudo ifconfig lo0 alias ${a}`),
        ]
      : []),
    ...rest.map(({ address, port, problem }) =>
      problem === 'taken'
        ? `${address}:${port} is taken, perhaps by another lab on these addresses`
        : `${address}:${port}: ${problem}`,
    ),
  ]
}
