/**
 * The tables of `talosctl etcd`: there is no other output. Cells are told apart by what they hold, not by where they
 * begin: talosctl 1.14 pads anew after every 500 ms of silence, so that rows which come late do not stand below the
 * header's titles. Nothing that was printed is skipped: a line of another shape makes an answer that can not be read.
 */
import { type Failure, failure } from '../../../workflows/model/failure.ts'

/** A row of `etcd members`: what one node's member believes. */
export type MemberRow = {
  id: string
  /** empty when the member was added and never started */
  hostname: string
  peerUrls: string[]
  learner: boolean
}

/** A row of `etcd status`: what a member says about itself. */
export type StatusRow = {
  id: string
  dbSize: string
  leader: string
  raftIndex: number
  raftTerm: number
  appliedIndex: number
  learner: boolean
  errors: string[]
}

export type AlarmRow = { id: string; kind: string }

/** Node → what it said, or why that can not be read. Nodes that said nothing are absent. */
export type ByNode<T> = Map<string, { ok: true; value: T } | { ok: false; failure: Failure }>

/** The member list of each node that was asked. */
export function readMembers(asked: readonly string[], stdout: string): ByNode<MemberRow[]> {
  return readTable(asked, stdout, MEMBERS, ([id = '', ...cells]) => {
    const learner = cells.pop()
    const hostname = cells[0]?.includes('://') ? '' : (cells.shift() ?? '')
    // a member that never started has no host name and no client URLs
    const [peers, clients = ''] = cells
    if (!peers?.includes('://') || !(clients === '' || clients.includes('://')) || cells.length > 2) return undefined
    if (!isId(id) || !isBoolean(learner)) return undefined
    return { id, hostname, peerUrls: list(peers), learner: learner === 'true' }
  })
}

/** What the member of each node that was asked says about itself. */
export function readStatus(asked: readonly string[], stdout: string): ByNode<StatusRow> {
  const rows = readTable(asked, stdout, STATUS, (cells): StatusRow | undefined => {
    const [id = '', dbSize = '', , leader = '', raftIndex, raftTerm, appliedIndex, learner, ...rest] = cells
    const numbers = [raftIndex, raftTerm, appliedIndex].map((cell) => (/^\d+$/.test(cell ?? '') ? Number(cell) : NaN))
    if (!isId(id) || !isId(leader) || !numbers.every(Number.isFinite) || !isBoolean(learner)) return undefined
    const [index = 0, term = 0, applied = 0] = numbers
    // versions of protocol and storage, which an old member does not tell, and then errors, which may be none
    while (rest.length > 0 && /^\d+\.\d+(\.\d+)?$/.test(rest[0] ?? '')) rest.shift()
    return {
      id,
      dbSize,
      leader,
      raftIndex: index,
      raftTerm: term,
      appliedIndex: applied,
      learner: learner === 'true',
      // protobuf sets one space or two between fields, as it likes
      errors: list(rest.join(' ').replaceAll(/ +/g, ' ')),
    }
  })
  return new Map(
    [...rows].map(([node, told]): [string, { ok: true; value: StatusRow } | { ok: false; failure: Failure }] => {
      if (!told.ok) return [node, told]
      const [row, second] = told.value
      return [node, row && !second ? { ok: true, value: row } : unreadable('it says twice how its member is')]
    }),
  )
}

/** The alarms that the member of each node that was asked knows of, its own and those of others. */
export function readAlarms(asked: readonly string[], stdout: string): ByNode<AlarmRow[]> {
  return readTable(asked, stdout, ALARMS, ([id = '', kind = '', ...rest]) =>
    isId(id) && /^[A-Z]+$/.test(kind) && rest.length === 0 ? { id, kind } : undefined,
  )
}

const MEMBERS = ['ID', 'HOSTNAME', 'PEER URLS', 'CLIENT URLS', 'LEARNER'].join()
const STATUS = [
  ...['MEMBER', 'DB SIZE', 'IN USE', 'LEADER', 'RAFT INDEX', 'RAFT TERM', 'RAFT APPLIED INDEX', 'LEARNER'],
  ...['PROTOCOL', 'STORAGE', 'ERRORS'],
].join()
const ALARMS = ['MEMBER', 'ALARM'].join()

/** Rows by node. What can not be said to be a row of one node could be of any: then nothing of the table is believed. */
function readTable<T>(
  asked: readonly string[],
  stdout: string,
  titles: string,
  read: (cells: string[]) => T | undefined,
): ByNode<T[]> {
  const told: ByNode<T[]> = new Map()
  let known = false
  let named = true
  for (const line of stdout.split('\n').filter((l) => l.trim() !== '')) {
    // Go's tabwriter leaves three spaces at least, and no cell has more than one in a row
    const cells = line.trim().split(/ {3,}/)
    if ([titles, `NODE,${titles}`].includes(cells.join())) {
      known = true
      // talosctl 1.13 leaves the column out where a node is asked without a name
      named = cells[0] === 'NODE'
      continue
    }
    const address = named ? cells.shift() : undefined
    const node = asked.length === 1 ? asked[0] : asked.find((one) => one === address)
    const row = known ? read(cells) : undefined
    if (node === undefined) return new Map(asked.map((one) => [one, unreadable(`etcd's table says "${line.trim()}"`)]))
    const before = told.get(node)
    if (row === undefined) told.set(node, unreadable(`etcd's table says "${line.trim()}"`))
    else if (before?.ok) before.value.push(row)
    else if (!before) told.set(node, { ok: true, value: [row] })
  }
  return told
}

const unreadable = (detail: string) => ({ ok: false as const, failure: failure('garbage-answer', { detail }) })

const isId = (cell: string): boolean => /^[0-9a-f]{16}$/.test(cell)

const isBoolean = (cell: string | undefined): boolean => cell === 'true' || cell === 'false'

const list = (cell: string): string[] => cell.split(/,\s*/).filter((part) => part !== '')
