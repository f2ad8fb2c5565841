import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import semver from 'semver'
import { callEtcd, streamEtcdSnapshot } from './etcd-gateway.ts'
import { ApiError, type LabEtcd } from './lab-node.ts'
import type { LabLog } from './log.ts'

const heartbeatMs = 100
const electionTimeoutMs = 1000
const callTimeoutMs = 3000

/** A young cluster has a short raft log: every member reports its indexes this much higher, so that a lag can show. */
const indexOffset = 100_000n
const lagEntries = 50_000n

type Member = { ID: string; name?: string; peerURLs?: string[]; clientURLs?: string[]; isLearner?: boolean }
type Alarm = { memberID: string; alarm?: 'NOSPACE' | 'CORRUPT' | 'NONE' }
type Status = {
  header: { member_id: string }
  version: string
  storageVersion?: string
  dbSize?: string
  dbSizeInUse?: string
  leader?: string
  raftIndex?: string
  raftTerm?: string
  raftAppliedIndex?: string
  errors?: string[]
  isLearner?: boolean
}

/** Which etcd serves which Talos: 3.6 below 1.14, 3.7 from it on. */
export type EtcdPaths = { '3.6': string; '3.7': string }

/** The etcd that a release of Talos ships, by its minor. */
export function etcdOf(talosVersion: string): keyof EtcdPaths {
  return semver.gte(talosVersion, '1.14.0-alpha.0') ? '3.7' : '3.6'
}

/** Where a member lives, and who else is there. */
export type EtcdMemberOptions = {
  name: string
  address: string
  /** every member's name and address, this one among them: all are bootstrapped at once from this list */
  cluster: readonly { name: string; address: string }[]
  /** the etcd that each Talos ships */
  etcdPaths: EtcdPaths
  dataDir: string
  log: LabLog
}

/** Where an etcd on that address serves its clients. */
function etcdClientUrl(address: string): string {
  return `http://${address}:2379`
}

/**
 * The etcd of one control plane: a real process, reached by its JSON gateway. It is started and stopped by the machine
 * that it belongs to; a member that was stopped comes back from its data.
 */
export class EtcdMember implements LabEtcd {
  readonly #options: EtcdMemberOptions
  readonly #listeners = new Set<() => void>()
  #process: ChildProcess | undefined
  #stoppedBy: 'machine' | 'fault' | 'lab' | undefined
  #healthy = false
  #lagging = false
  #alarmsHidden = false
  #learnerId: string | undefined

  constructor(options: EtcdMemberOptions) {
    this.#options = options
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
  }

  get name(): string {
    return this.#options.name
  }

  get clientUrl(): string {
    return etcdClientUrl(this.#options.address)
  }

  get dataDir(): string {
    return this.#options.dataDir
  }

  /** undefined while no process runs */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** answers and knows its leader, as of the last look */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Told when the process starts, gets healthy or ends. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Starts the process, if none runs, and watches until it is healthy or gone: the etcd that `talosVersion` ships, on
   * the data of the one before, under the name of its machine.
   */
  start(talosVersion: string, hostname: string): void {
    if (this.#process !== undefined) return
    const { name, address, cluster, etcdPaths, dataDir, log } = this.#options
    const output = openSync(join(dataDir, '..', `${name}.log`), 'a', 0o600)
    const child = spawn(
      etcdPaths[etcdOf(talosVersion)],
      [
        `--name=${hostname}`,
        `--data-dir=${dataDir}`,
        `--listen-client-urls=${this.clientUrl}`,
        `--advertise-client-urls=${this.clientUrl}`,
        `--listen-peer-urls=http://${address}:2380`,
        `--initial-advertise-peer-urls=http://${address}:2380`,
        `--initial-cluster=${cluster.map((m) => `${m.address === address ? hostname : m.name}=http://${m.address}:2380`).join(',')}`,
        '--initial-cluster-state=new',
        `--heartbeat-interval=${heartbeatMs}`,
        `--election-timeout=${electionTimeoutMs}`,
        '--snapshot-count=1000',
        // members of a lab are young: etcd would refuse a learner in the first seconds
        '--strict-reconfig-check=false',
        '--unsafe-no-fsync',
        '--log-level=warn',
      ],
      { stdio: ['ignore', output, output], env: {} },
    )
    closeSync(output)
    this.#process = child
    this.#stoppedBy = undefined
    child.on('error', () => this.#ended(child))
    child.on('exit', () => this.#ended(child))
    if (child.pid !== undefined) log.append({ type: 'etcd.started', node: name, pid: child.pid })
    this.#changed()
    void this.#untilHealthy(child)
  }

  /** Ends the process; resolves when it is gone. */
  async stop(signal: 'SIGTERM' | 'SIGKILL', by: 'machine' | 'fault' | 'lab'): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#stoppedBy ??= by
    this.#healthy = false
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill(signal)
    await gone
  }

  /** While lagging, the member reports an applied index far behind the one that it has. */
  setLagging(lagging: boolean): void {
    if (this.#lagging === lagging) return
    this.#lagging = lagging
    this.#options.log.append({ type: lagging ? 'etcd.lagging' : 'etcd.caught-up', node: this.name })
  }

  /** While hidden, nobody is told which alarms are raised. */
  hideAlarms(hidden: boolean): void {
    this.#alarmsHidden = hidden
  }

  async raiseAlarm(): Promise<void> {
    const { memberId } = await this.status()
    await this.#call('/v3/maintenance/alarm', { action: 'ACTIVATE', memberID: memberId, alarm: 'NOSPACE' })
  }

  async disarmAlarms(): Promise<{ memberId: string; alarm: 'NOSPACE' | 'CORRUPT' }[]> {
    const raised = await this.alarms()
    for (const { memberId, alarm } of raised) {
      await this.#call('/v3/maintenance/alarm', { action: 'DEACTIVATE', memberID: memberId, alarm })
    }
    return raised
  }

  /** Adds a learner that never starts; its peer address is one that no node of a lab has. */
  async addLearner(): Promise<void> {
    const reply = await this.#call<{ member: Member }>('/v3/cluster/member/add', {
      peerURLs: ['http://127.0.0.2:23800'],
      isLearner: true,
    })
    this.#learnerId = reply.member.ID
  }

  async removeLearner(): Promise<void> {
    if (this.#learnerId === undefined) return
    await this.#call('/v3/cluster/member/remove', { ID: this.#learnerId })
    this.#learnerId = undefined
  }

  async members({ local } = { local: false }): ReturnType<LabEtcd['members']> {
    // Talos asks the etcd of any control plane for the list where it is not told otherwise (NewClientFromControlPlaneIPs)
    const others = local ? [] : this.#options.cluster.map(({ address }) => etcdClientUrl(address))
    for (const url of new Set([this.clientUrl, ...others])) {
      try {
        const { members } = await callEtcd<{ members: Member[] }>(
          url,
          '/v3/cluster/member/list',
          {},
          { timeoutMs: callTimeoutMs },
        )
        return members.map((member) => ({
          id: member.ID,
          hostname: member.name ?? '',
          peerUrls: member.peerURLs ?? [],
          clientUrls: member.clientURLs ?? [],
          learner: member.isLearner ?? false,
        }))
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 'UNAVAILABLE') throw error
      }
    }
    throw new ApiError('UNAVAILABLE', 'no member answers')
  }

  async status(): ReturnType<LabEtcd['status']> {
    const status = await this.#call<Status>('/v3/maintenance/status', {})
    const index = BigInt(status.raftIndex ?? 0) + indexOffset
    const applied = BigInt(status.raftAppliedIndex ?? 0) + indexOffset
    return {
      memberId: status.header.member_id,
      leader: status.leader ?? '0',
      dbSize: Number(status.dbSize ?? 0),
      dbSizeInUse: Number(status.dbSizeInUse ?? 0),
      raftIndex: Number(index),
      raftTerm: Number(status.raftTerm ?? 0),
      raftAppliedIndex: Number(this.#lagging ? applied - lagEntries : applied),
      errors: status.errors ?? [],
      learner: status.isLearner ?? false,
      protocolVersion: status.version,
      storageVersion: status.storageVersion ?? '',
    }
  }

  async alarms(): ReturnType<LabEtcd['alarms']> {
    if (this.#alarmsHidden) {
      throw new ApiError('DEADLINE_EXCEEDED', 'failed to list etcd alarms: context deadline exceeded')
    }
    const reply = await this.#call<{ alarms?: Alarm[] }>('/v3/maintenance/alarm', { action: 'GET' })
    return (reply.alarms ?? []).flatMap(({ memberID, alarm }) =>
      alarm === 'NOSPACE' || alarm === 'CORRUPT' ? [{ memberId: memberID, alarm }] : [],
    )
  }

  async forfeitLeadership(): Promise<string | undefined> {
    const members = await this.members({ local: true })
    const { memberId, leader } = await this.status()
    if (leader !== memberId) return undefined
    // as Talos does: to the first other member of the list, whatever its state
    const successor = members.find(({ id }) => id !== memberId)
    if (successor === undefined) return undefined
    await this.#call('/v3/maintenance/transfer-leadership', { targetID: successor.id }, 10_000)
    return successor.id
  }

  /** Why Talos below 1.13 refuses to upgrade this node (internal/pkg/etcd ValidateForUpgrade); undefined when it does not. */
  async objectionToUpgrade(): Promise<string | undefined> {
    const members = await this.members()
    if (members.length === 2) {
      return 'etcd member count(2) is insufficient to maintain quorum if upgrade commences'
    }
    for (const { id, hostname, clientUrls } of members) {
      const member = `etcd member ${BigInt(id).toString(16).padStart(16, '0')}`
      if (hostname === '') return `${member} is not started, all members must be running to perform an upgrade`
      const objection = await consensusObjection(clientUrls[0])
      if (objection !== undefined) {
        return `${member} is not healthy; all members must be healthy to perform an upgrade: ${objection}`
      }
    }
    return undefined
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return streamEtcdSnapshot(this.clientUrl, { timeoutMs: 60_000 })
  }

  #call<Reply>(path: string, body: object, timeoutMs = callTimeoutMs): Promise<Reply> {
    return callEtcd<Reply>(this.clientUrl, path, body, { timeoutMs })
  }

  async #untilHealthy(child: ChildProcess): Promise<void> {
    while (this.#process === child) {
      try {
        // a read that goes through consensus: the member has a leader and has caught up with it
        await this.#call('/v3/kv/range', { key: Buffer.from('lab').toString('base64') }, 1000)
        if (this.#process !== child || this.#stoppedBy !== undefined) return
        this.#healthy = true
        this.#options.log.append({ type: 'etcd.healthy', node: this.name })
        return this.#changed()
      } catch {
        await setTimeout(50)
      }
    }
  }

  #ended(child: ChildProcess): void {
    if (this.#process !== child) return
    this.#process = undefined
    this.#healthy = false
    this.#options.log.append({ type: 'etcd.stopped', node: this.name, by: this.#stoppedBy ?? 'itself' })
    this.#changed()
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

async function consensusObjection(clientUrl: string | undefined): Promise<string | undefined> {
  if (clientUrl === undefined) return 'no client address'
  try {
    await callEtcd(clientUrl, '/v3/kv/range', { key: Buffer.from('health').toString('base64') }, { timeoutMs: 2000 })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
