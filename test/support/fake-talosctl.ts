/**
 * A talosctl inside the test's own process, which counts how often it is started: it says what 1.13 or 1.14 says of nodes
 * that answer, that are silent, that are down, or that are there for the control planes alone.
 */
import type { Knock } from '../../scripts/cluster/knock.ts'
import type { CommandResult, Run } from '../../scripts/run.ts'
import type { NodeDeclaration } from '../../workflows/model/cluster.ts'
import { commandResult } from './command-result.ts'

/** How a node is met. `behind`: by other control planes only; `silent`: packets vanish; `hangs`: it greets, and says nothing. */
export type Manner = 'answers' | 'behind' | 'silent' | 'down' | 'hangs'

export type FakeTalosctl = {
  run: Run
  knock: Knock
  nodes: NodeDeclaration[]
  /** every start, as `version of 20 through 10.0.0.1` */
  starts: string[]
  /** may be changed while it is used */
  manners: Map<string, Manner>
  /** words of a command that no answer comes to, by address: etcd's, where it does not run */
  deafTo: Map<string, string>
  /** addresses of control planes whose etcd does not run: nothing about it is ever answered there */
  withoutEtcd: Set<string>
  /** how long an answer of the node takes, in milliseconds */
  slow: Map<string, number>
}

export const addressOf = (n: number): string => `10.0.0.${n}`

/** `controlPlanes` of `size` nodes are the first ones; `manner` says how node 1, 2, … is met. */
export function fakeTalosctl({
  size = 20,
  controlPlanes = 3,
  client = '1.13',
  manner = () => 'answers',
}: {
  size?: number
  controlPlanes?: number
  client?: '1.13' | '1.14'
  manner?: (n: number) => Manner
}): FakeTalosctl {
  const numbers = Array.from({ length: size }, (_, index) => index + 1)
  const manners = new Map(numbers.map((n) => [addressOf(n), manner(n)]))
  const deafTo = new Map<string, string>()
  const withoutEtcd = new Set<string>()
  const slow = new Map<string, number>()
  const starts: string[] = []
  const nodes = numbers.map((n): NodeDeclaration => {
    const role = n <= controlPlanes ? 'controlplane' : 'worker'
    return { name: `n${n}`, address: addressOf(n), role }
  })
  const seenFrom = (endpoint: string, node: string): 'told' | 'refused' | 'nothing' => {
    const how = manners.get(node)
    if (how === 'silent' || how === 'hangs') return 'nothing'
    return how === 'down' || (how === 'behind' && endpoint === node) ? 'refused' : 'told'
  }

  const run: Run = async ({ argv, timeoutMs }, { signal, onLine } = {}) => {
    const endpoint = argv[argv.indexOf('-e') + 1] ?? ''
    const asked = (argv[argv.indexOf('-n') + 1] ?? '').split(',')
    const words = argv.slice(argv.indexOf('-n') + 2)
    starts.push(`${words.slice(0, 2).join(' ')} of ${asked.length} through ${endpoint}`)
    const answer = (exitCode: number, stdout: string, stderr: string) => commandResult({ exitCode, stdout, stderr })
    const hang = (stdout = ''): Promise<CommandResult> =>
      new Promise((resolve) => {
        const end = (by: 'deadline' | 'abort') => {
          clearTimeout(timer)
          resolve(commandResult({ stdout, ended: { by } }))
        }
        const timer = setTimeout(() => end('deadline'), timeoutMs)
        if (signal?.aborted) end('abort')
        else signal?.addEventListener('abort', () => end('abort'), { once: true })
      })
    if (signal?.aborted) return hang()
    const way = seenFrom(endpoint, endpoint)
    if (way === 'refused') return answer(1, '', `error: ${refused(endpoint)}\n`)
    if (way === 'nothing') return hang()
    const pauseMs = Math.max(0, ...asked.map((node) => slow.get(node) ?? 0))
    if (pauseMs > 0) await Promise.race([hang(), new Promise((resolve) => setTimeout(resolve, pauseMs))])
    if (signal?.aborted) return hang()
    const silent = asked.filter(
      (node) =>
        seenFrom(endpoint, node) === 'nothing' ||
        words.join(' ').startsWith(deafTo.get(node) ?? 'nothing') ||
        (words[0] === 'etcd' && withoutEtcd.has(node)),
    )
    const down = asked.filter((node) => seenFrom(endpoint, node) === 'refused')
    const told = asked.filter((node) => !silent.includes(node) && !down.includes(node))
    const said = print(words, told, nodes, withoutEtcd)
    const isGet = words[0] === 'get'
    if (silent.length > 0) {
      const printed = client === '1.14' && !isGet ? said : ''
      if (printed !== '' && onLine) for (const line of printed.split('\n').slice(0, -1)) onLine(line)
      return hang(printed)
    }
    if (onLine) for (const line of said.split('\n')) onLine(line)
    if (down.length === 0) return answer(0, said, '')
    if (client === '1.14') {
      return isGet
        ? answer(1, '', down.map((node) => `${node}: error getting server version: ${refused(node)}\n`).join(''))
        : answer(1, said, down.map((node) => `error getting version from node ${node}: ${refused(node)}\n`).join(''))
    }
    if (isGet)
      return answer(1, down.includes(asked[0] ?? '') ? '' : said, `1 error occurred:\n\t* ${refused(down[0] ?? '')}\n`)
    const list = `${down.length} errors occurred:\n${down.map((node) => `\t* ${node}: ${refused(node)}\n`).join('')}\n`
    return told.length > 0 ? answer(0, said, `WARNING: ${list}`) : answer(1, '', `error getting version: ${list}`)
  }

  const knock: Knock = async ({ address }) => {
    const how = manners.get(address)
    return how === 'answers' || how === 'hangs'
  }
  return { run, knock, nodes, starts, manners, deafTo, withoutEtcd, slow }
}

const refused = (address: string): string =>
  `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}:50000: connect: connection refused"`

const last = (address: string): string => address.split('.').at(-1) ?? ''

/** What is printed of the nodes that answer. */
function print(
  words: readonly string[],
  told: readonly string[],
  nodes: readonly NodeDeclaration[],
  withoutEtcd: ReadonlySet<string>,
): string {
  const [verb, what = ''] = words
  const of = (address: string) => nodes.find((node) => node.address === address)
  if (verb === 'version')
    return `Client:\n\tTag:         v1.14.1\nServer:\n${told.map((node) => `\tNODE:        ${node}\n\tTag:         v1.13.5\n`).join('')}`
  if (verb === 'read') return `00000000-0000-4000-8000-${last(told[0] ?? '').padStart(12, '0')}\n`
  if (verb === 'logs') return told.map((node) => `${node}: [talos] machined logger initialized\n`).join('')
  if (verb === 'get')
    return told
      .map((node) => {
        const spec = specOf(what === 'services' && withoutEtcd.has(node) ? 'other services' : what, of(node))
        return `${JSON.stringify({ metadata: { id: spec.id }, node, spec: spec.value }, null, 4)}\n`
      })
      .join('')
  if (verb === 'etcd') return etcd(what, told, nodes)
  throw new Error(`the fake talosctl knows no ${words.join(' ')}`)
}

function specOf(kind: string, node: NodeDeclaration | undefined): { id: string; value: unknown } {
  const { name = '', role = 'worker' } = node ?? {}
  const specs: Record<string, { id: string; value: unknown }> = {
    machinestatus: { id: 'machine', value: { stage: 'running', status: { ready: true } } },
    extensions: { id: '0', value: { metadata: { name: 'schematic', version: 's' } } },
    securitystate: { id: 'securitystate', value: { secureBoot: false } },
    platformmetadata: { id: 'platformmetadata', value: { platform: 'metal' } },
    kubeletspec: { id: 'kubelet', value: { image: 'ghcr.io/siderolabs/kubelet:v1.36.1' } },
    machinetype: { id: 'machine-type', value: role },
    hostnamestatus: { id: 'hostname', value: { hostname: name } },
    nodename: { id: 'nodename', value: { nodename: name } },
    kernelcmdline: { id: 'cmdline', value: { cmdline: 'talos.platform=metal' } },
    'other services': { id: 'apid', value: { running: true, healthy: true, unknown: false } },
    services: { id: 'etcd', value: { running: true, healthy: true, unknown: false } },
  }
  const spec = specs[kind]
  if (!spec) throw new Error(`the fake talosctl knows no resource ${kind}`)
  return spec
}

const idOf = (address: string): string => last(address).padStart(16, '0')

function etcd(what: string, told: readonly string[], nodes: readonly NodeDeclaration[]): string {
  const members = nodes.filter(({ role }) => role === 'controlplane')
  if (what === 'alarm') return ''
  const row = (...cells: string[]) => `${cells.join('   ')}\n`
  if (what === 'members')
    return [
      row('NODE', 'ID', 'HOSTNAME', 'PEER URLS', 'CLIENT URLS', 'LEARNER'),
      ...told.flatMap((node) =>
        members.map(({ name, address }) =>
          row(node, idOf(address), name, `https://${address}:2380`, `https://${address}:2379`, 'false'),
        ),
      ),
    ].join('')
  return [
    row(
      'NODE',
      'MEMBER',
      'DB SIZE',
      'IN USE',
      'LEADER',
      'RAFT INDEX',
      'RAFT TERM',
      'RAFT APPLIED INDEX',
      'LEARNER',
      'PROTOCOL',
      'STORAGE',
      'ERRORS',
    ),
    ...told.map((node) =>
      row(
        node,
        idOf(node),
        '61 kB',
        '37 kB (60.00%)',
        idOf(members[0]?.address ?? ''),
        '124',
        '2',
        '124',
        'false',
        '3.6.14',
        '3.6.0',
        '',
      ),
    ),
  ].join('')
}
