import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { ApiError, type Entrance, type LabNode, type Reachability } from '../lab-node.ts'

type Visit = { client: Socket; inside: Socket | undefined }

/** Where the servers behind a door listen, on loopback and unannounced. */
export type InnerPorts = { own: number; foreign: number }

/** Where a door stands, and what decides who gets through it. */
export type Doorway = {
  address: string
  port: number
  reachability(): Reachability
  /** what is in the way of visitors, and not of other nodes */
  entrance?(): Entrance
  /** visitors are led to the server that presents a stranger's certificate */
  presentsWrongCa(): boolean
  /** told whenever one of the two may have changed */
  on(changed: () => void): () => void
}

/** The way to a node's Talos API. */
export const apidDoorway = (node: LabNode): Doorway => ({
  address: node.address,
  port: 50000,
  reachability: () => node.reachability(),
  entrance: () => node.entrance(),
  presentsWrongCa: () => node.presentsWrongCa(),
  on: (changed) => node.on((event) => event.type === 'state' && changed()),
})

/**
 * The network in front of a server: it listens on an address of a node, passes bytes to the TLS server behind it, and can
 * refuse (nothing listens, open connections break) or fall silent (everything stays open and nothing moves), following
 * `reachability()` and `entrance()` whenever they change.
 */
export class Door {
  readonly #way: Doorway
  readonly #ports: InnerPorts
  readonly #visits = new Set<Visit>()
  readonly #changed = new Set<() => void>()
  /** addresses of clients by the port through which the inner server sees them */
  readonly #callers = new Map<number, string>()
  readonly #stopListening: () => void
  #listener: Server | undefined
  #listening: Promise<void> = Promise.resolve()
  #reachability: Reachability = 'refuses'
  #entrance: Entrance = 'open'
  #foreign: boolean

  constructor(way: Doorway, ports: InnerPorts) {
    this.#way = way
    this.#ports = ports
    this.#foreign = way.presentsWrongCa()
    this.#stopListening = way.on(() => this.#follow())
  }

  /** Resolves when the port is open, if it should be; fails when the address cannot be used. */
  async open(): Promise<void> {
    this.#follow()
    await this.#listening
  }

  /** The client behind a connection that the inner server sees coming from `port`. */
  callerOf(port: number | undefined): string {
    return (port === undefined ? undefined : this.#callers.get(port)) ?? 'unknown'
  }

  /**
   * What another node's apid meets that calls this one: returns when packets pass, waits while they vanish, fails when
   * nothing listens or when the certificate is a stranger's.
   */
  async passage(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#reachability === 'refuses') {
        throw unavailable(
          `transport: Error while dialing: dial tcp ${this.#way.address}:${this.#way.port}: connect: connection refused`,
        )
      }
      if (this.#reachability === 'answers') {
        if (!this.#foreign) return
        throw unavailable(
          'transport: authentication handshake failed: tls: failed to verify certificate: ' +
            // it has the name of the cluster's own authority, and another key
            'x509: certificate signed by unknown authority (possibly because of "x509: Ed25519 verification failure" ' +
            'while trying to verify candidate authority certificate "talos")',
        )
      }
      await this.#change(signal)
    }
  }

  /** A signal that is aborted when connections to this node break. */
  breakage(): { signal: AbortSignal; release(): void } {
    const controller = new AbortController()
    const watch = (): void => {
      if (this.#reachability === 'refuses' || this.#foreign) controller.abort()
    }
    this.#changed.add(watch)
    return { signal: controller.signal, release: () => this.#changed.delete(watch) }
  }

  async close(): Promise<void> {
    this.#stopListening()
    this.#set('refuses', 'open')
    // a port that never opened is as good as closed
    await this.#listening.catch(() => undefined)
  }

  #follow(): void {
    const foreign = this.#way.presentsWrongCa()
    if (foreign !== this.#foreign) {
      this.#foreign = foreign
      this.#breakAll()
      this.#tell()
    }
    this.#set(this.#way.reachability(), this.#way.entrance?.() ?? 'open')
  }

  #set(next: Reachability, entrance: Entrance): void {
    const before = this.#reachability
    if (before === next && this.#entrance === entrance) return
    this.#reachability = next
    this.#entrance = entrance
    if (next === 'refuses') this.#shut()
    else if (before === 'refuses') this.#listen()
    if (next === 'refuses' || entrance === 'resets') this.#breakAll()
    else for (const visit of this.#visits) this.#passes() ? this.#thaw(visit) : freeze(visit)
    if (before !== next) this.#tell()
  }

  /** Whether packets of visitors get through. */
  #passes(): boolean {
    return this.#reachability === 'answers' && this.#entrance === 'open'
  }

  #tell(): void {
    for (const watch of [...this.#changed]) watch()
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#changed.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#changed.add(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  #listen(): void {
    const listener = createServer({ pauseOnConnect: true }, (client) => this.#enter(client))
    this.#listener = listener
    // one after the other: the port of the closing listener is free only when it has closed
    this.#listening = this.#listening.then(
      () =>
        new Promise<void>((resolve, reject) => {
          if (this.#listener !== listener) return resolve()
          listener.once('error', reject)
          listener.listen({ host: this.#way.address, port: this.#way.port, backlog: 128 }, () => resolve())
        }),
    )
    // whoever opened the door hears of it; later failures surface as connection refused
    this.#listening.catch(() => undefined)
  }

  #shut(): void {
    const listener = this.#listener
    this.#listener = undefined
    if (listener === undefined) return
    this.#listening = this.#listening.then(
      () => new Promise<void>((resolve) => (listener.listening ? listener.close(() => resolve()) : resolve())),
    )
    if (listener.listening) listener.close()
  }

  #breakAll(): void {
    for (const { client, inside } of this.#visits) {
      client.destroy()
      inside?.destroy()
    }
  }

  #enter(client: Socket): void {
    if (this.#reachability === 'refuses') {
      client.destroy()
      return
    }
    if (this.#entrance === 'resets') {
      client.resetAndDestroy()
      return
    }
    const visit: Visit = { client, inside: undefined }
    this.#visits.add(visit)
    client.setNoDelay(true)
    client.on('error', () => client.destroy())
    client.on('close', () => {
      this.#visits.delete(visit)
      visit.inside?.destroy()
    })
    if (this.#passes()) this.#thaw(visit)
  }

  #thaw(visit: Visit): void {
    const { client } = visit
    const known = visit.inside
    if (known !== undefined) {
      client.pipe(known)
      known.pipe(client)
      return
    }
    const inside = dial({ host: '127.0.0.1', port: this.#foreign ? this.#ports.foreign : this.#ports.own })
    visit.inside = inside
    inside.setNoDelay(true)
    inside.on('error', () => inside.destroy())
    inside.on('connect', () => {
      const port = inside.localPort
      if (port === undefined) return
      this.#callers.set(port, `${client.remoteAddress}:${client.remotePort}`)
      inside.on('close', () => this.#callers.delete(port))
    })
    inside.on('close', () => client.destroy())
    client.pipe(inside)
    inside.pipe(client)
  }
}

function freeze({ client, inside }: Visit): void {
  client.unpipe()
  client.pause()
  inside?.unpipe()
  inside?.pause()
}

const unavailable = (cause: string): ApiError => new ApiError('UNAVAILABLE', `connection error: desc = "${cause}"`)
