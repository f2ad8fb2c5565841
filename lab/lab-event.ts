/**
 * Everything the lab writes to its log, one JSON object a line. A line is on disk before a client can see the effect,
 * so a test may act on it (kill something between a change and its record, say) and `check` may judge by it.
 */
export type LabEvent =
  /** all nodes are ready and etcd has quorum; what happens before it is the lab's own start */
  | {
      type: 'lab.up'
      speed: number
      nodes: readonly { name: string; role: 'controlplane' | 'worker'; version: string }[]
    }
  | { type: 'lab.down' }
  /** a call that reached `node`, when it ended; `endpoint` is the node that the client had dialled */
  | {
      type: 'rpc'
      node: string
      method: string
      endpoint: string
      caller: string
      roles: readonly string[]
      code: string
    }
  | { type: 'pull.started' | 'pull.finished'; node: string; image: string }
  | { type: 'pull.failed'; node: string; image: string; reason: string }
  | { type: 'install.started' | 'install.finished'; node: string; image: string; bootId: string }
  | { type: 'install.failed'; node: string; image: string; bootId: string; reason: string }
  /** the slot is half written; `by`: the machine, which went down because somebody asked for it, or a fault */
  | { type: 'install.cut-off'; node: string; image: string; bootId: string; by: 'machine' | 'fault'; reason: string }
  /** an installation overwrote the slot that runs: the node cannot go back to `version` any more */
  | { type: 'slot.lost'; node: string; bootId: string; version: string; overwrittenWith: string }
  /** `by`: the call that asked for it; the legacy upgrade reboots on its own */
  | { type: 'reboot.requested'; node: string; actorId: string; mode: string; bootId: string; by: 'reboot' | 'upgrade' }
  /** asked for while another sequence ran, and therefore not started */
  | { type: 'reboot.ignored'; node: string; actorId: string; bootId: string }
  /** `by`: absent where somebody asked for it */
  | { type: 'machine.down'; node: string; bootId: string; by?: 'power-cut' }
  /** apid answers again */
  | { type: 'machine.booting'; node: string; bootId: string; version: string; slot: 'A' | 'B' }
  | { type: 'machine.running'; node: string; bootId: string; version: string; slot: 'A' | 'B' }
  | { type: 'machine.ready'; node: string; bootId: string; version: string }
  | { type: 'machine.not-ready'; node: string; bootId: string; unmet: string }
  /** `from` did not boot; the node went back to `to` */
  | { type: 'machine.fell-back'; node: string; from: string; to: string }
  /** neither slot boots: only a cure helps */
  | { type: 'machine.lost'; node: string; version: string }
  /** somebody else's doing: at once, for the next boot, or taken back; no run of ours changes a configuration */
  | { type: 'config.changed'; node: string; how: 'at once' | 'staged' | 'taken back' }
  /** the release that booted can not read the configuration on the disk: apid never listens */
  | { type: 'config.unreadable'; node: string; version: string; reason: string }
  | { type: 'machine.wiped'; node: string; what: string }
  | { type: 'etcd.started'; node: string; pid: number }
  /** the member answers and knows its leader */
  | { type: 'etcd.healthy'; node: string }
  /** `by`: the machine going down, a fault, the lab's end, or the process itself */
  | { type: 'etcd.stopped'; node: string; by: 'machine' | 'fault' | 'lab' | 'itself' }
  | { type: 'etcd.lagging' | 'etcd.caught-up'; node: string }
  /**
   * no write went through this healthy member for so long: told while it lasts, and with its length when it ended;
   * `running` is how many members' processes there were when they were fewest
   */
  | { type: 'etcd.gap'; node: string; ms: number; running: number; ended: boolean; reason: string }
  /** the kubelet ended the pod for good */
  | { type: 'pod.ended'; node: string; pod: string }
  /** an eviction was asked for, and how the API server answered: 201, or 429 for a budget */
  | { type: 'pod.evicted'; node: string; pod: string; code: number; dryRun: boolean }
  /** a client deleted the pod, past every budget; `budget` is one that allowed no disruption at that moment */
  | { type: 'pod.deleted'; node: string; pod: string; by: string; budget?: string }
  /** `run`: what the mark says that came with the cordon; without it, or with an older one, somebody else cordoned */
  | { type: 'node.cordoned'; node: string; run?: string }
  /** `run` as when it was cordoned; `by`: the client that changed the node last, `lab` for a cure */
  | { type: 'node.uncordoned'; node: string; by: string; run?: string }
  /** the node was told to reboot with these pods on it, which could have run elsewhere */
  | { type: 'node.loaded'; node: string; evictable: readonly string[] }
  /** the Lease that locks the cluster was taken or renewed; without a holder it was given back */
  | { type: 'lease.changed'; holder?: string; seconds?: number }
  /** somebody who thought that it was still theirs was told that another has changed it */
  | { type: 'lease.refused'; holder: string }
  | { type: 'volume.detached'; node: string; volume: string }
  /** the primary of a database handed over to an instance on the node `to` */
  | { type: 'primary.moved'; node: string; cluster: string; to: string }
  | { type: 'fault.injected' | 'fault.fired'; node: string; fault: string; when?: string }
  | { type: 'fault.cured'; node: string; fault: string; by: 'hand' | 'itself' | 'reboot' }
  | { type: 'unreachable.from' | 'unreachable.to'; node: string }

/** A line of the log. */
export type LoggedEvent = LabEvent & { at: string }
