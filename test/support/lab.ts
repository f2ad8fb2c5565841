import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Breach, checkLog } from '../../lab/check.ts'
import { askLab, type ControlReply, type ControlRequest } from '../../lab/control.ts'
import { labDown } from '../../lab/down.ts'
import type { EtcdPaths } from '../../lab/etcd-member.ts'
import type { FaultRequest } from '../../lab/fault-board.ts'
import type { Operator } from '../../lab/kubernetes/operator.ts'
import type { KubernetesTools } from '../../lab/kubernetes/servers.ts'
import { labPaths, socketPathFor } from '../../lab/lab-config.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import type { Timings } from '../../lab/timings.ts'
import { labUp } from '../../lab/up.ts'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import type { ToolName } from '../../scripts/toolchain/tool-table.ts'
import { eventually } from './eventually.ts'

/** A schematic that the machines of a test lab run, with two extensions in it. */
export const labSchematic = '6ee38dd99d1f1b0d9a7c1e2e6a1d4c63d1f8e3b7a0f5c2948d7b6a5e4f3c2b1a'

/** The installer image of that schematic. */
export const labImage = (version: string): string => `factory.talos.dev/metal-installer/${labSchematic}:${version}`

/** What a test wants of its cluster; everything has a default. */
export type LabWishes = {
  /** named k8s-1, k8s-2, … */
  controlPlanes?: number
  /** named worker-1, … */
  workers?: number
  /** what every node runs at first */
  version?: string
  /** what single nodes run instead, by name */
  versions?: Record<string, string>
  /** `talosVersion` of talenv.yaml */
  target?: string
  kubernetesVersion?: string
  /** machine seconds that pass in a second */
  speed?: number
  timings?: Partial<Timings>
  faults?: FaultRequest[]
  /** runs a Kubernetes; without it nodes are ready by themselves, and operations.yaml says that nothing is drained */
  kubernetes?: boolean
  /** Kubernetes objects that are there from the start */
  workloads?: object[]
  /** operators that the lab plays */
  operators?: Operator[]
  /** merged into `machine:` of lab.yaml: platform, secureBoot, disks, … */
  machine?: object
}

type LabTools = { talosctl: string; etcd: EtcdPaths; kubernetes?: KubernetesTools }

/** How a process ended. */
export type Ended = { code: number | null; stdout: string; stderr: string }

export type TestLab = {
  /** what `--dir` takes */
  dir: string
  /** what `--cluster` takes, like `117` */
  cluster: string
  clusterDir: string
  /** addresses by node name, in the order of talenv.yaml */
  addresses: Record<string, string>
  tools: LabTools
  /** the lab's log so far */
  log(): LoggedEvent[]
  /** resolves to the first event that fits, now or later, from line `from` of the log on */
  logged(fits: (event: LoggedEvent) => boolean, options?: { from?: number }): Promise<LoggedEvent>
  fault(request: FaultRequest): Promise<void>
  cure(match?: { name?: string; node?: string }): Promise<void>
  status(): Promise<ControlReply>
  check(): Breach[]
  /** the real talosctl with the lab's talosconfig */
  talosctl(argv: readonly string[], options?: { timeoutMs?: number }): Promise<Ended>
  /** the real kubectl as an administrator, through the virtual IP */
  kubectl(argv: readonly string[], options?: { stdin?: string }): Promise<Ended>
  /** names of the nodes that take no new pods */
  cordoned(): Promise<string[]>
  /** ends the lab and removes its folder */
  down(): Promise<void>
}

/**
 * Brings up a lab of its own for a test, on a free 127.a.b.0/24 and in a folder of its own; it dies with this process.
 * Fails with the lab's words when it does not get up.
 */
export async function startLab(wishes: LabWishes = {}): Promise<TestLab> {
  const dir = mkdtempSync(join(tmpdir(), 'lab-'))
  const tools = await toolsFor(wishes)
  for (let attempt = 1; ; attempt += 1) {
    const lab = declare(dir, wishes)
    const said: string[] = []
    const say = (line: string) => said.push(line)
    const speed = wishes.speed ?? 40
    // the same for all labs of `npm test`: a key of 4096 bits takes seconds to find
    const secretsFile = process.env.LAB_SECRETS
    const code = await labUp({ ...lab, speed, tools, secretsFile, dieWith: process.pid, say })
    if (code === 0) return running(dir, lab, tools)
    rmSync(lab.clusterDir, { recursive: true, force: true })
    // somebody else's lab may have the addresses
    if (code !== 69 || attempt === 5) {
      rmSync(dir, { recursive: true, force: true })
      throw new Error(`the lab did not get up (${code}): ${said.join('\n')}`)
    }
  }
}

type Declared = ReturnType<typeof declare>

function declare(dir: string, wishes: LabWishes) {
  const [a, b] = [10 + Math.floor(Math.random() * 200), 1 + Math.floor(Math.random() * 254)]
  const id = String(a * 1000 + b)
  const clusterDir = join(dir, 'clusters', `cluster-${id}`)
  mkdirSync(clusterDir, { recursive: true })
  const { controlPlanes = 3, workers = 0, version = 'v1.13.5', target = 'v1.13.9' } = wishes
  const kubernetesVersion = wishes.kubernetesVersion ?? 'v1.36.1'
  const node = (hostname: string, last: number, controlPlane: boolean) => ({
    hostname,
    ipAddress: `127.${a}.${b}.${last}`,
    controlPlane,
  })
  const nodes = [
    ...Array.from({ length: controlPlanes }, (_, index) => node(`k8s-${index + 1}`, 11 + index, true)),
    ...Array.from({ length: workers }, (_, index) => node(`worker-${index + 1}`, 101 + index, false)),
  ]
  const labFile = {
    timings: wishes.timings ?? {},
    schematics: { [labSchematic]: ['siderolabs/iscsi-tools', 'siderolabs/intel-ucode'] },
    machine: { version, kubernetesVersion, schematic: labSchematic, ...wishes.machine },
    machines: Object.fromEntries(Object.entries(wishes.versions ?? {}).map(([name, own]) => [name, { version: own }])),
    faults: wishes.faults ?? [],
    kubernetes: {
      enabled: wishes.kubernetes ?? false,
      workloads: wishes.workloads ?? [],
      operators: wishes.operators ?? [],
    },
  }
  const cluster = {
    name: `cluster-${id}`,
    id: Number(id),
    endpoint: `https://127.${a}.${b}.10:6443`,
    vip: `127.${a}.${b}.10`,
    talosVersion: target,
    kubernetesVersion,
  }
  writeFileSync(join(clusterDir, 'talenv.yaml'), stringify({ cluster, nodes }))
  writeFileSync(join(clusterDir, 'lab.yaml'), stringify(labFile))
  if (!wishes.kubernetes) writeFileSync(join(clusterDir, 'operations.yaml'), stringify({ drain: { enabled: false } }))
  const named = nodes.map(({ hostname, ipAddress, controlPlane }) => ({
    name: hostname,
    address: ipAddress,
    role: controlPlane ? ('controlplane' as const) : ('worker' as const),
  }))
  const kubernetesEndpoint = cluster.endpoint
  return { id, cluster: `cluster-${id}`, clusterDir, nodes: named, kubernetesEndpoint, labFile: stringify(labFile) }
}

function running(dir: string, declared: Declared, tools: LabTools): TestLab {
  const { clusterDir } = declared
  const paths = labPaths(clusterDir)
  const talosconfig = join(clusterDir, 'talosconfig')
  const kubeconfig = join(dir, 'kubeconfig')
  const ask = async (request: ControlRequest) => {
    const reply = await askLab(socketPathFor(paths.stateDir), request)
    if (reply === undefined) throw new Error('the lab does not answer')
    if (reply.error !== undefined) throw new Error(reply.error)
    return reply
  }
  const log = () =>
    readFileSync(paths.log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LoggedEvent)
  const kubectl: TestLab['kubectl'] = async (argv, options = {}) => {
    if (!existsSync(kubeconfig)) {
      const [first] = declared.nodes
      const at = [`--nodes=${first?.address}`, `--endpoints=${first?.address}`]
      const fetch = [`--talosconfig=${talosconfig}`, ...at, 'kubeconfig', kubeconfig, '--merge=false']
      const { code, stderr } = await execute(tools.talosctl, fetch)
      if (code !== 0) throw new Error(stderr)
    }
    const program = await toolPath('kubectl')
    const flags = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${join(dir, 'kube-cache')}`]
    return execute(program, [...flags, ...argv], options)
  }
  return {
    dir,
    cluster: declared.id,
    clusterDir,
    addresses: Object.fromEntries(declared.nodes.map(({ name, address }) => [name, address])),
    tools,
    log,
    logged(fits, { from = 0 } = {}) {
      let size = 0
      const look = () => {
        const before = size
        size = statSync(paths.log).size
        return size === before ? undefined : log().slice(from).find(fits)
      }
      return eventually(look, () => 'the lab never logged that')
    },
    fault: async (fault) => void (await ask({ verb: 'inject', fault })),
    cure: async (match = {}) => void (await ask({ verb: 'cure', ...match })),
    status: () => ask({ verb: 'status' }),
    check: () => checkLog(log()),
    talosctl: (argv, options = {}) => execute(tools.talosctl, [`--talosconfig=${talosconfig}`, ...argv], options),
    kubectl,
    async cordoned() {
      const names = '--output=jsonpath={.items[?(@.spec.unschedulable)].metadata.name}'
      const { code, stdout, stderr } = await kubectl(['get', 'nodes', names])
      if (code !== 0) throw new Error(stderr)
      return stdout.split(' ').filter((name) => name !== '')
    },
    async down() {
      await labDown(clusterDir)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function toolsFor({ kubernetes = false }: LabWishes): Promise<LabTools> {
  const etcd = { '3.6': await toolPath('etcd-3.6'), '3.7': await toolPath('etcd-3.7') }
  const tools = { talosctl: await toolPath('talosctl-1.13'), etcd }
  if (!kubernetes) return tools
  const [apiServer, controllerManager, scheduler] = await Promise.all([
    toolPath('kube-apiserver'),
    toolPath('kube-controller-manager'),
    toolPath('kube-scheduler'),
  ])
  return { ...tools, kubernetes: { apiServer, controllerManager, scheduler } }
}

/** Where a tool is; it is built when it is missing. */
export async function toolPath(name: ToolName): Promise<string> {
  const tool = await resolveTool(name)
  if (!tool.found) throw new Error(tool.detail)
  return tool.path
}

function execute(
  program: string,
  argv: readonly string[],
  { timeoutMs = 240_000, stdin = '' }: { timeoutMs?: number; stdin?: string } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { timeout: timeoutMs, killSignal: 'SIGKILL' })
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...output }))
  })
}
