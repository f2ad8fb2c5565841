import { Door, type Doorway } from '../api/door.ts'
import type { Reachability } from '../lab-node.ts'

/** A control plane, as far as its API server can be reached. */
export type ApiHost = {
  name: string
  address: string
  apiReachability(): Reachability
  on(changed: () => void): () => void
}

const port = 6443

/**
 * What clients see of the API server: port 6443 on every control plane, open while that one runs its static pods, and on
 * the virtual IP, which one control plane at a time holds. All of them lead to the one real API server.
 */
export class Entrances {
  readonly #doors: Door[]
  readonly #releases: (() => void)[] = []

  constructor(hosts: readonly ApiHost[], options: { vip: string | undefined; inner: number }) {
    const ways = hosts.map(
      (host): Doorway => ({
        address: host.address,
        port,
        reachability: () => host.apiReachability(),
        presentsWrongCa: () => false,
        on: (changed) => host.on(changed),
      }),
    )
    const { vip, inner } = options
    if (vip !== undefined) ways.push(this.#virtual(vip, hosts))
    this.#doors = ways.map((way) => new Door(way, { own: inner, foreign: inner }))
  }

  async open(): Promise<void> {
    await Promise.all(this.#doors.map((door) => door.open()))
  }

  async close(): Promise<void> {
    for (const release of this.#releases) release()
    await Promise.all(this.#doors.map((door) => door.close()))
  }

  /** Connections to the virtual IP break when its holder goes, and go to the next one when they are made anew. */
  #virtual(address: string, hosts: readonly ApiHost[]): Doorway {
    const listeners = new Set<() => void>()
    const answers = (host: ApiHost) => host.apiReachability() === 'answers'
    let holder = hosts.find(answers)
    let moving = false
    const look = () => {
      if (holder !== undefined && answers(holder)) return
      moving = holder !== undefined
      holder = hosts.find(answers)
      for (const listener of listeners) listener()
      if (!moving) return
      moving = false
      for (const listener of listeners) listener()
    }
    for (const host of hosts) this.#releases.push(host.on(look))
    return {
      address,
      port,
      reachability: () => (holder === undefined || moving ? 'refuses' : 'answers'),
      presentsWrongCa: () => false,
      on(changed) {
        listeners.add(changed)
        return () => listeners.delete(changed)
      },
    }
  }
}
