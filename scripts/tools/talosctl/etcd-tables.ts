/** The tables of `talosctl etcd`: there is no other output. Columns are found by the header, since cells may be empty. */

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

/** Node address → its member list. `only` names the node where the table has no NODE column. */
export function readMembers(stdout: string, only?: string): Map<string, MemberRow[]> {
  return byNode(stdout, only, (cell) => ({
    id: cell('ID'),
    hostname: cell('HOSTNAME'),
    peerUrls: list(cell('PEER URLS')),
    learner: cell('LEARNER') === 'true',
  }))
}

/** Node address → what its member says. Rows whose numbers are none are left out. */
export function readStatus(stdout: string, only?: string): Map<string, StatusRow> {
  const rows = byNode(stdout, only, (cell) => ({
    id: cell('MEMBER'),
    dbSize: cell('DB SIZE'),
    leader: cell('LEADER'),
    raftIndex: number(cell('RAFT INDEX')),
    raftTerm: number(cell('RAFT TERM')),
    appliedIndex: number(cell('RAFT APPLIED INDEX')),
    learner: cell('LEARNER') === 'true',
    errors: list(cell('ERRORS')),
  }))
  return new Map(
    [...rows].flatMap(([node, [row]]) =>
      row && [row.raftIndex, row.raftTerm, row.appliedIndex].every(Number.isFinite) ? [[node, row]] : [],
    ),
  )
}

/** Node address → the alarms that its member knows of, its own and those of others. */
export function readAlarms(stdout: string, only?: string): Map<string, AlarmRow[]> {
  return byNode(stdout, only, (cell) => ({ id: cell('MEMBER'), kind: cell('ALARM') }))
}

/** Go's tabwriter pads every column to the same width, header included, so a column begins where its title does. */
function byNode<T>(
  stdout: string,
  only: string | undefined,
  read: (cell: (title: string) => string) => T,
): Map<string, T[]> {
  const rows = new Map<string, T[]>()
  let columns: { title: string; start: number }[] = []
  for (const line of stdout.split('\n').filter((l) => l.trim() !== '')) {
    if (/^(NODE|ID|MEMBER)\s{3,}[A-Z]/.test(line)) {
      columns = [...line.matchAll(/\S+(?: \S+)*/g)].map((match) => ({ title: match[0], start: match.index }))
      continue
    }
    const cell = (title: string): string => {
      const at = columns.findIndex((column) => column.title === title)
      return at === -1 ? '' : line.slice(columns[at]?.start, columns[at + 1]?.start).trim()
    }
    const node = cell('NODE') || only
    if (node === undefined || !/^[0-9a-f]{16}$/.test(cell('ID') || cell('MEMBER'))) continue
    rows.set(node, [...(rows.get(node) ?? []), read(cell)])
  }
  return rows
}

const list = (cell: string): string[] => cell.split(/,\s*/).filter((part) => part !== '')

const number = (cell: string): number => (/^\d+$/.test(cell) ? Number(cell) : Number.NaN)
