import { ApiError, type LabNode, type Service } from '../lab-node.ts'
import type { LoggedEvent } from './event-log.ts'
import { message } from './message.ts'
import { type Call, type Method, streaming, unary } from './method.ts'
import { tarball } from './tarball.ts'

const empty = 'google.protobuf.Empty'
const data = 'common.Data'

/** machine.MachineService, but for its Etcd* calls. */
export const machineService: Readonly<Record<string, Method>> = {
  '/machine.MachineService/Version': unary<object>(
    { request: empty, response: 'machine.VersionResponse' },
    ({ node }) => {
      const { version, platform } = node.state()
      return {
        messages: [
          {
            version: {
              tag: node.answersGarbage() ? 'garbage' : version,
              sha: '00000000',
              built: '',
              go_version: 'go1.26.0',
              os: 'linux',
              arch: 'amd64',
            },
            platform: { name: platform, mode: 'metal' },
            features: { rbac: true },
          },
        ],
      }
    },
  ),
  '/machine.MachineService/Hostname': unary<object>(
    { request: empty, response: 'machine.HostnameResponse' },
    ({ node }) => ({ messages: [{ hostname: node.state().hostname }] }),
  ),
  '/machine.MachineService/Memory': unary<object>({ request: empty, response: 'machine.MemoryResponse' }, () => ({
    messages: [{ meminfo: { memtotal: 8_000_000, memfree: 4_000_000, memavailable: 6_000_000, cached: 2_000_000 } }],
  })),
  '/machine.MachineService/SystemStat': unary<object>(
    { request: empty, response: 'machine.SystemStatResponse' },
    ({ node }) => ({ messages: [{ boot_time: Math.floor(node.state().bootedAt.getTime() / 1000) }] }),
  ),
  '/machine.MachineService/ServiceList': unary<object>(
    { request: empty, response: 'machine.ServiceListResponse' },
    ({ node }) => {
      const { services, bootedAt } = node.state()
      return { messages: [{ services: services.map((service) => serviceInfo(service, bootedAt)) }] }
    },
  ),
  '/machine.MachineService/Reboot': unary<{ mode: 'DEFAULT' | 'POWERCYCLE' | 'FORCE' }>(
    { request: 'machine.RebootRequest', response: 'machine.RebootResponse' },
    async ({ node }, { mode }) => ({ messages: [{ actor_id: await node.reboot(mode) }] }),
  ),
  '/machine.MachineService/Upgrade': unary<{ image: string; force: boolean; preserve: boolean; stage: boolean }>(
    { request: 'machine.UpgradeRequest', response: 'machine.UpgradeResponse' },
    async ({ node, signal }, { image, force, preserve, stage }) => ({
      messages: [
        {
          ack: 'Upgrade request received',
          actor_id: await node.upgradeLegacy({ image, force, preserve, stage }, signal),
        },
      ],
    }),
  ),
  '/machine.MachineService/ImagePull': unary<{ reference: string }>(
    { request: 'machine.ImagePullRequest', response: 'machine.ImagePullResponse' },
    async ({ node, signal }, { reference }) => {
      await node.pullImage(reference, signal)
      return { messages: [{}] }
    },
  ),
  '/machine.MachineService/ImageList': streaming<object>(
    { request: 'machine.ImageListRequest', response: 'machine.ImageListResponse' },
    async function* ({ node }) {
      for (const { name, digest, sizeBytes, createdAt } of node.images()) {
        yield { name, digest, size: sizeBytes, created_at: message.timestamp(createdAt) }
      }
    },
  ),
  '/machine.MachineService/Kubeconfig': streaming<object>(
    { request: empty, response: data },
    async function* ({ node }) {
      yield { bytes: tarball('kubeconfig', await node.kubeconfig()) }
    },
  ),
  '/machine.MachineService/Read': streaming<{ path: string }>(
    { request: 'machine.ReadRequest', response: data },
    async function* ({ node }, { path }) {
      const text = files[path]?.(node)
      if (text === undefined) throw new ApiError('NOT_FOUND', `stat ${path}: no such file or directory`)
      yield { bytes: Buffer.from(text) }
    },
  ),
  '/machine.MachineService/LogsContainers': unary<object>(
    { request: empty, response: 'machine.LogsContainersResponse' },
    ({ node }) => ({ messages: [{ ids: logNames(node) }] }),
  ),
  '/machine.MachineService/Logs': streaming<{ namespace: string; id: string; follow: boolean; tail_lines: number }>(
    { request: 'machine.LogsRequest', response: data },
    async function* (call, { namespace, id, follow, tail_lines }) {
      if (namespace !== 'system' && id !== 'kubelet') throw new ApiError('UNKNOWN', `container "${id}" not found`)
      if (!logNames(call.node).includes(id)) throw new ApiError('UNKNOWN', `log "${id}" was not registered`)
      if (id === 'machined' && call.node.hidesLog()) {
        throw new ApiError('UNKNOWN', 'read /var/log/machined.log: input/output error')
      }
      const lines = id === 'machined' ? call.node.log('machined') : serviceLog(call.node, id)
      const wanted = tail_lines < 0 ? lines : tail_lines === 0 ? [] : lines.slice(-tail_lines)
      // whole lines together: a client that asks for a full ring waits for its bytes, not for thousands of messages
      for (let from = 0; from < wanted.length; from += linesAMessage) {
        yield { bytes: Buffer.from(`${wanted.slice(from, from + linesAMessage).join('\n')}\n`) }
      }
      if (follow) yield* followLines(call, id === 'machined' ? 'machined-log' : undefined)
    },
  ),
  '/machine.MachineService/Dmesg': streaming<{ follow: boolean; tail: boolean }>(
    { request: 'machine.DmesgRequest', response: data },
    async function* (call, { follow, tail }) {
      if (!tail) for (const line of call.node.log('dmesg')) yield { bytes: Buffer.from(`${line}\n`) }
      if (follow) yield* followLines(call, 'dmesg')
    },
  ),
  '/machine.MachineService/Events': streaming<EventsRequest>(
    { request: 'machine.EventsRequest', response: 'machine.Event' },
    events,
  ),
}

const linesAMessage = 200

type EventsRequest = { tail_events: number; tail_id: string; tail_seconds: number; with_actor_id: string }

/** Talos' Events(): an empty hello, what the tail options ask for, then everything that happens. */
async function* events(call: Call, request: EventsRequest): AsyncGenerator<object> {
  const { tail_events: count, tail_id: after, tail_seconds: seconds, with_actor_id: actor } = request
  const incoming = queue<LoggedEvent>(call.signal)
  const stop = call.events.on(incoming.push)
  try {
    yield { data: {}, actor_id: actor }
    const history = call.events.history()
    const since = Date.now() - seconds * 1000
    const tail =
      count !== 0
        ? count < 0
          ? [...history]
          : history.slice(-count)
        : after !== ''
          ? history.filter(({ id }) => id > after)
          : seconds !== 0
            ? history.filter(({ at }) => at.getTime() > since)
            : []
    const replayed = new Set(tail)
    const isWanted = ({ actor_id }: LoggedEvent): boolean => actor === '' || actor_id === actor
    for (const event of tail.filter(isWanted)) yield event
    for await (const event of incoming.items) if (!replayed.has(event) && isWanted(event)) yield event
  } finally {
    stop()
  }
}

/** Items that are pushed, as an async sequence that ends when the signal is aborted. */
function queue<Item>(signal: AbortSignal): { push(item: Item): void; items: AsyncGenerator<Item> } {
  const waiting: Item[] = []
  let resume: (() => void) | undefined
  const wake = (): void => resume?.()
  async function* items(): AsyncGenerator<Item> {
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        const item = waiting.shift()
        if (item !== undefined) yield item
        else await new Promise<void>((resolve) => (resume = resolve))
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }
  const push = (item: Item): void => {
    waiting.push(item)
    wake()
  }
  return { push, items: items() }
}

/** Lines that are logged from now on, until the client goes; a log that the lab does not write just stays open. */
async function* followLines(
  { node, signal }: Call,
  type: 'machined-log' | 'dmesg' | undefined,
): AsyncGenerator<object> {
  const incoming = queue<string>(signal)
  const stop = node.on((event) => {
    if (event.type === type) incoming.push((event as { line: string }).line)
  })
  try {
    for await (const line of incoming.items) yield { bytes: Buffer.from(`${line}\n`) }
  } finally {
    stop()
  }
}

/** Files that talosctl and people read; everything else does not exist. */
const files: Readonly<Record<string, (node: LabNode) => string>> = {
  '/proc/sys/kernel/random/boot_id': (node) => `${node.state().bootId}\n`,
  '/etc/hostname': (node) => `${node.state().hostname}\n`,
  '/etc/os-release': (node) => {
    const { version } = node.state()
    return `NAME="Talos"\nID=talos\nVERSION_ID=${version}\nPRETTY_NAME="Talos (${version})"\nHOME_URL="https://www.talos.dev/"\n`
  },
  '/proc/uptime': (node) => {
    const seconds = ((Date.now() - node.state().bootedAt.getTime()) / 1000).toFixed(2)
    return `${seconds} ${seconds}\n`
  },
  '/proc/cmdline': (node) =>
    `talos.platform=${node.state().platform} console=tty0 init_on_alloc=1 slab_nomerge pti=on\n`,
}

function serviceInfo({ id, running, healthy, lastMessage }: Service, bootedAt: Date): object {
  const state = running ? 'Running' : 'Waiting'
  const at = message.timestamp(bootedAt)
  return {
    id,
    state,
    events: { events: [{ msg: running ? `Started task ${id}` : lastMessage, state, ts: at }] },
    health: { unknown: !running, healthy, last_message: lastMessage, last_change: at },
  }
}

const logNames = (node: LabNode): string[] => [
  ...new Set(['controller-runtime', 'machined', ...node.state().services.map(({ id }) => id)]),
]

function serviceLog(node: LabNode, id: string): readonly string[] {
  const { services, bootedAt } = node.state()
  const service = services.find((candidate) => candidate.id === id)
  const at = bootedAt.toISOString()
  if (service === undefined) return [`${at} starting ${id}`]
  return [
    `${at} starting ${id}`,
    ...(service.running ? [`${at} ${id} is running`] : []),
    ...(service.lastMessage === '' ? [] : [`${at} ${service.lastMessage}`]),
  ]
}
