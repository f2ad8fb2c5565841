import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { stringify } from 'yaml'
import type { PemPair } from '../api/certificates.ts'
import { ApiClient, type KubeObject } from './api-client.ts'
import { issueKubernetesCertificate } from './certificate.ts'
import type { ClusterIdentity } from './cluster-identity.ts'

/** Programs of a real Kubernetes control plane. */
export type KubernetesTools = { apiServer: string; controllerManager: string; scheduler: string }

/** One line of the API server's audit log, as far as the lab reads it. */
export type AuditEvent = {
  verb: string
  requestURI: string
  userAgent?: string
  objectRef?: { resource?: string; namespace?: string; name?: string; subresource?: string }
  responseStatus?: { code?: number }
  // biome-ignore lint/suspicious/noExplicitAny: whatever a client sent
  requestObject?: any
  /** what was there afterwards; of changes of Nodes only */
  responseObject?: KubeObject
}

const lookAgainMs = 100

/** What a drain and a lock do, and nothing else: every other request would only fill the log. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted', 'Panic'],
  rules: [
    { level: 'None', users: ['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler'] },
    { level: 'Request', verbs: ['create'], resources: [{ group: '', resources: ['pods/eviction'] }] },
    { level: 'Metadata', verbs: ['delete'], resources: [{ group: '', resources: ['pods'] }] },
    { level: 'RequestResponse', verbs: ['patch', 'update'], resources: [{ group: '', resources: ['nodes'] }] },
    {
      level: 'Request',
      verbs: ['create', 'update', 'delete'],
      resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }],
      namespaces: ['kube-system'],
    },
    { level: 'None' },
  ],
}

/**
 * The real kube-apiserver, kube-controller-manager and kube-scheduler of a lab: one of each, whose API server listens on
 * a loopback port that only the lab knows. What its clients see are the entrances at the nodes' addresses.
 */
export class Servers {
  readonly #children = new Map<string, ChildProcess>()
  readonly #dir: string
  readonly #onAudit: (event: AuditEvent) => void
  #stopping = false

  constructor(options: { dir: string; onAudit: (event: AuditEvent) => void }) {
    this.#dir = options.dir
    this.#onAudit = options.onAudit
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
  }

  /** Starts all of them; resolves to a client when the API server is ready. Rejects when one ends, or when aborted. */
  async start(options: {
    tools: KubernetesTools
    identity: ClusterIdentity
    etcdUrls: readonly string[]
    /** addresses at which clients will find the API server */
    addresses: readonly string[]
    /** machine seconds that pass in a second */
    speed: number
    signal: AbortSignal
  }): Promise<{ api: ApiClient; port: number }> {
    const { tools, identity, etcdUrls, addresses, speed, signal } = options
    const { authority } = identity
    const port = await freePort()
    const host = new URL(identity.endpoint).hostname.replace(/^\[|\]$/g, '')
    const isAddress = /^[\d.]+$|:/.test(host)
    const serving = await issueKubernetesCertificate(authority, {
      server: 'kube-apiserver',
      addresses: [...new Set(['127.0.0.1', ...addresses, ...(isAddress ? [host] : [])])],
      names: ['localhost', 'kubernetes', 'kubernetes.default', ...(isAddress ? [] : [host])],
    })
    const admin = await issueKubernetesCertificate(authority, { client: 'lab', groups: ['system:masters'] })
    const keys = this.#write('service-account.key', identity.serviceAccountKey)
    const ca = this.#write('ca.crt', authority.crt)
    this.#spawn('kube-apiserver', tools.apiServer, [
      `--etcd-servers=${etcdUrls.join(',')}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      // an address of a node is on loopback, and the service kubernetes takes none of those
      '--advertise-address=192.0.2.1',
      '--endpoint-reconciler-type=none',
      `--service-cluster-ip-range=${identity.serviceSubnet}`,
      `--service-account-issuer=${identity.endpoint}`,
      `--service-account-key-file=${keys}`,
      `--service-account-signing-key-file=${keys}`,
      `--client-ca-file=${ca}`,
      `--tls-cert-file=${this.#write('apiserver.crt', serving.crt)}`,
      `--tls-private-key-file=${this.#write('apiserver.key', serving.key)}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      '--audit-log-path=-',
      `--audit-policy-file=${this.#write('audit-policy.yaml', stringify(auditPolicy))}`,
      '--shutdown-delay-duration=0s',
    ])
    const api = new ApiClient({ port, authority: authority.crt, client: admin })
    await this.#untilReady(api, signal)
    const kubeconfig = async (client: string) =>
      this.#kubeconfig(
        client,
        port,
        authority,
        await issueKubernetesCertificate(authority, { client, groups: ['system:masters'] }),
      )
    const manager = await kubeconfig('system:kube-controller-manager')
    this.#spawn('kube-controller-manager', tools.controllerManager, [
      `--kubeconfig=${manager}`,
      '--leader-elect=false',
      '--secure-port=0',
      `--service-account-private-key-file=${keys}`,
      `--root-ca-file=${ca}`,
      '--kube-api-qps=200',
      '--kube-api-burst=400',
      // a node that falls silent is noticed after 40 s of its own time, and the lab's process may be late on a busy machine
      `--node-monitor-grace-period=${Math.max(10, Math.ceil(40 / speed))}s`,
      '--node-monitor-period=1s',
      '--pvclaimbinder-sync-period=2s',
      '--controllers=*,-horizontal-pod-autoscaler-controller,-certificatesigningrequest-signing-controller',
    ])
    const scheduler = this.#write(
      'scheduler.yaml',
      stringify({
        apiVersion: 'kubescheduler.config.k8s.io/v1',
        kind: 'KubeSchedulerConfiguration',
        leaderElection: { leaderElect: false },
        clientConnection: { kubeconfig: await kubeconfig('system:kube-scheduler'), qps: 200, burst: 400 },
      }),
    )
    this.#spawn('kube-scheduler', tools.scheduler, [`--config=${scheduler}`, '--secure-port=0'])
    return { api, port }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(
      [...this.#children.values()].map(
        (child) =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve()
            child.once('exit', () => resolve())
            child.kill('SIGKILL')
          }),
      ),
    )
  }

  async #untilReady(api: ApiClient, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const ended = [...this.#children].find(([, child]) => child.exitCode !== null || child.signalCode !== null)
      if (ended !== undefined) throw new Error(`${ended[0]} ended; its last words are in ${this.#logOf(ended[0])}`)
      const ready = await api.get('/readyz').then(
        () => true,
        () => false,
      )
      if (ready) return
      await setTimeout(lookAgainMs)
    }
  }

  #spawn(name: string, program: string, argv: readonly string[]): void {
    const log = openSync(this.#logOf(name), 'a', 0o600)
    const output = name === 'kube-apiserver' ? 'pipe' : log
    const child = spawn(program, argv, { stdio: ['ignore', output, log], env: {} })
    closeSync(log)
    this.#children.set(name, child)
    let rest = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('{')) this.#onAudit(JSON.parse(line))
    })
    child.on('error', (error) => process.stderr.write(`${name}: ${error.message}\n`))
    child.on('exit', (code, signal) => {
      if (!this.#stopping) process.stderr.write(`${name} ended (${signal ?? code}); see ${this.#logOf(name)}\n`)
    })
  }

  #kubeconfig(client: string, port: number, authority: PemPair, pair: PemPair): string {
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'lab',
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: client } }],
      clusters: [
        {
          name: 'lab',
          cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(authority.crt) },
        },
      ],
      users: [
        {
          name: client,
          user: { 'client-certificate-data': base64(pair.crt), 'client-key-data': base64(pair.key) },
        },
      ],
    }
    return this.#write(`${client.replace('system:', '')}.kubeconfig`, stringify(config))
  }

  #logOf(name: string): string {
    return join(this.#dir, `${name}.log`)
  }

  #write(name: string, text: string): string {
    const path = join(this.#dir, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address === null || typeof address === 'string' ? reject(new Error('no port')) : resolve(address.port),
      )
    })
  })
}
