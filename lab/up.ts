import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import semver from 'semver'
import { addressProblems, explainAddressProblems } from './addresses.ts'
import { createClusterSecrets } from './cluster-secrets.ts'
import { askLab } from './control.ts'
import { isLabsOwn, labDown } from './down.ts'
import type { EtcdPaths } from './etcd-member.ts'
import { type GeneratedConfig, readGeneratedConfig } from './generated-config.ts'
import { isThere } from './is-there.ts'
import { keepFromGit } from './keep-from-git.ts'
import type { KubernetesTools } from './kubernetes/servers.ts'
import { type LabConfig, labPaths, readLabConfig, socketPathFor } from './lab-config.ts'
import type { LabExit } from './lab-exit.ts'
import { machineSpec, readLabFile } from './lab-file.ts'

/** What `lab up` is told: plain data, read from talenv.yaml, lab.yaml and the command line by the caller. */
export type UpOptions = {
  /** like `cluster-101` */
  cluster: string
  clusterDir: string
  nodes: readonly { name: string; address: string; role: 'controlplane' | 'worker' }[]
  /** `https://127.0.101.10:6443`, as the cluster declares it */
  kubernetesEndpoint: string
  /** the text of lab.yaml; empty when there is none */
  labFile: string
  speed?: number | undefined
  tools: { talosctl: string; etcd: EtcdPaths; kubernetes?: KubernetesTools }
  /** the cluster's own configuration, where there is one; else the lab makes secrets of its own */
  generated?: GeneratedConfig | undefined
  /** secrets that were made before by `talosctl gen secrets`, where the lab makes a configuration */
  secretsFile?: string | undefined
  /** the lab ends when this process is gone */
  dieWith?: number | undefined
  say: (line: string) => void
}

const upDeadlineMs = 120_000

/**
 * Brings the cluster's lab up in the background and returns the exit code: 0 when all nodes are ready and etcd has
 * quorum (or the lab was up already), 1 when it does not get there, 65 for a wrong lab.yaml, 69 when addresses are
 * missing or taken, 77 when a talosconfig is in the way that is not the lab's.
 */
export async function labUp(options: UpOptions): Promise<LabExit> {
  const { cluster, clusterDir, say } = options
  const paths = labPaths(clusterDir)
  const before = readLabConfig(paths)
  const reply = before && (await askLab(before.socketPath, { verb: 'status' }))
  if (reply !== undefined) {
    const waiting = (reply.nodes ?? []).filter(({ ready, reachability }) => !ready || reachability !== 'answers')
    say(
      `The lab of ${cluster} is up already${waiting.length === 0 ? '' : `; not ready: ${waiting.map((n) => n.name).join(', ')}`}`,
    )
    return waiting.length === 0 ? 0 : 1
  }
  if (await labDown(clusterDir)) say(`Removed what a killed lab of ${cluster} had left`)

  const read = readDeclaration(options)
  if (typeof read === 'string') {
    say(read)
    return 65
  }
  const { declared, kubernetes: wanted } = read
  const kubernetes = wanted.enabled ? options.tools.kubernetes : undefined
  const problems = explainAddressProblems(
    await addressProblems(declared.nodes, kubernetes && options.kubernetesEndpoint),
    process.platform,
  )
  if (problems.length > 0) {
    for (const line of problems) say(line)
    return 69
  }
  const talosconfig = join(clusterDir, 'talosconfig')
  const { generated } = options
  if (generated === undefined && isThere(talosconfig) && !isLabsOwn(talosconfig, paths.talosconfig)) {
    say(`${talosconfig} is there and not the lab's: the lab would overwrite it. Move it away first.`)
    return 77
  }

  // out of git's sight before anything is in it
  keepFromGit(dirname(paths.stateDir))
  mkdirSync(paths.stateDir, { recursive: true, mode: 0o700 })
  rmSync(paths.log, { force: true })
  // the process takes a second to load: meanwhile talosctl makes the secrets
  const daemon = spawnDaemon(paths)
  const secrets = await secretsOf(options, declared).catch((error: Error) => {
    daemon.kill()
    return error
  })
  if (secrets instanceof Error) {
    say(`There are no secrets for the lab of ${cluster}: ${secrets.message}`)
    return generated === undefined ? 1 : 65
  }
  const config: LabConfig = {
    ...declared,
    nodes: declared.nodes.map((node) => ({ ...node, machineConfig: secrets.machineConfigOf(node) })),
    cluster,
    stateDir: paths.stateDir,
    socketPath: socketPathFor(paths.stateDir),
    etcdPaths: options.tools.etcd,
    ...(kubernetes === undefined ? {} : { kubernetes: { ...wanted, tools: kubernetes } }),
    authority: secrets.authority,
    ...(options.dieWith === undefined ? {} : { dieWith: options.dieWith }),
  }
  // a generated talosconfig is the cluster's, and stays when the lab goes
  for (const file of generated === undefined ? [paths.talosconfig, talosconfig] : []) {
    rmSync(file, { force: true })
    writeFileSync(file, secrets.talosconfig, { mode: 0o600 })
  }
  writeFileSync(paths.config, JSON.stringify(config), { mode: 0o600 })

  const failure = await untilUp(daemon)
  if (failure !== undefined) {
    say(`The lab of ${cluster} did not get up: ${failure}`)
    for (const line of tail(paths.errors)) say(line)
    await labDown(clusterDir)
    return 1
  }
  say(`The lab of ${cluster} is up: ${declared.nodes.map(({ name, address }) => `${name} ${address}`).join(', ')}`)
  return 0
}

type Declared = Exclude<ReturnType<typeof readDeclaration>, string>['declared']

/** The cluster's own secrets where it was configured, else new ones. */
async function secretsOf(
  { generated, tools, cluster, clusterDir, kubernetesEndpoint, secretsFile }: UpOptions,
  { nodes }: Declared,
) {
  if (generated !== undefined) return readGeneratedConfig(generated, nodes)
  const { authority, talosconfig, machineConfigs } = await createClusterSecrets({
    talosctlPath: tools.talosctl,
    dir: labPaths(clusterDir).stateDir,
    secretsFile,
    cluster,
    endpoints: nodes.filter(({ role }) => role === 'controlplane').map(({ address }) => address),
    talosVersion: semver.sort(nodes.map(({ version }) => version))[0] ?? 'v1.13.0',
    kubernetesVersion: nodes[0]?.kubernetesVersion ?? 'v1.36.1',
    kubernetesEndpoint,
    schedulesOnControlPlanes: nodes.every(({ role }) => role === 'controlplane'),
  })
  const machineConfigOf = ({ role }: Declared['nodes'][number]) => machineConfigs[role]
  return { authority, talosconfig, machineConfigOf }
}

function readDeclaration(options: UpOptions) {
  try {
    const lab = readLabFile(options.labFile)
    const { timings, schematics, faults } = lab
    const nodes = options.nodes.map(({ name, address, role }) => ({ ...machineSpec(lab, name), name, address, role }))
    const strangers = Object.keys(lab.machines).filter((name) => !nodes.some((node) => node.name === name))
    if (strangers.length > 0) throw new Error(`machines: ${strangers.join(', ')} not among the nodes of talenv.yaml`)
    if (!nodes.some(({ role }) => role === 'controlplane')) throw new Error('nodes: a lab needs a control plane')
    return {
      declared: { speed: options.speed ?? lab.speed, timings, schematics, faults, nodes },
      kubernetes: lab.kubernetes,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Starts the lab's process, which loads and then waits to be told that its configuration is there. */
function spawnDaemon(paths: { config: string; errors: string }): ChildProcess {
  const errors = openSync(paths.errors, 'w', 0o600)
  const root = fileURLToPath(new URL('..', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'lab/daemon.ts'), paths.config], {
    cwd: root,
    detached: true,
    stdio: ['ignore', errors, errors, 'ipc'],
  })
  closeSync(errors)
  return child
}

/** Lets the lab's process begin; undefined when the lab is up, else why it is not. */
function untilUp(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    const settle = (failure: string | undefined) => {
      clearTimeout(deadline)
      child.removeAllListeners()
      if (child.connected) child.disconnect()
      child.unref()
      resolve(failure)
    }
    const deadline = setTimeout(() => settle(`not ready after ${upDeadlineMs / 1000} s`), upDeadlineMs)
    child.once('error', (error) => settle(error.message))
    child.once('exit', (code, signal) => settle(`its process ended (${signal ?? code})`))
    child.once('message', (message: { up?: true; failed?: string }) => settle(message.failed))
    if (child.exitCode !== null || child.signalCode !== null) settle('its process ended')
    else child.send('begin')
  })
}

function tail(file: string): string[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-20)
}
