/** The whole command over a fake cluster, in this process: from its lock to its report, and it may die on the way. */
import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Call } from '../../scripts/cli/command.ts'
import { crew } from '../../scripts/cli/compose-crew.ts'
import type { CommonFlags } from '../../scripts/cli/flags.ts'
import type { OpenCluster } from '../../scripts/cluster/open-cluster.ts'
import type { Layout } from '../../scripts/declaration/layout.ts'
import { carryOutIn } from '../../scripts/engine/carry-out-in.ts'
import { type JournalRecord, readJournal } from '../../scripts/engine/journal.ts'
import { openRunFolder } from '../../scripts/engine/run-folder.ts'
import { countStarts } from '../../scripts/engine/starts.ts'
import type { Report } from '../../scripts/view/report.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import { reboot } from '../../workflows/plan/reboot.ts'
import { upgrade } from '../../workflows/plan/upgrade.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { fakeCluster } from './fake-cluster.ts'

export type Fake = ReturnType<typeof fakeCluster>

/** `exitCode` is absent where it died. `events` is what it printed with `--output json`. */
export type Typed = {
  exitCode?: number
  report: Report | undefined
  journal: readonly JournalRecord[]
  events: readonly RunEvent[]
}

/** One checkout, in which the command may be typed again and again. */
export type Checkout = {
  /** its `.run` */
  runs: string
  /** Types the command, an upgrade of all nodes unless told otherwise; it dies right after the first fitting record is on disk. */
  type(
    diesAfter?: (record: JournalRecord, position: number) => boolean,
    flags?: { verb?: VerbName; nodes?: string[] } & Partial<Pick<CommonFlags, 'abandon' | 'output' | 'yes'>>,
  ): Promise<Typed>
  /** Puts the journal of an earlier run there, as it lies after that run has died or ended. */
  leave(run: string, journal: string): void
  /** files of the journals, oldest first */
  journals(): string[]
  remove(): void
}

const rolling = { acceptEtcdOutage: false, keepGoing: false, skipDrain: false }

type Carry = (session: OpenCluster, call: Call, nodes: string[] | undefined) => Promise<number>

const carries =
  <Wish extends AnyWish>(verb: Verb<Wish>, wish: Wish): Carry =>
  (session, call, nodes) =>
    carryOutIn(crew, session, verb, { ...call, command: verb.name }, { ...wish, ...(nodes && { nodes }) })

const VERBS: Record<VerbName, Carry> = {
  upgrade: carries(upgrade, {
    ...{ ...rolling, to: 'v1.13.9', retry: false },
    ...{ allowExtensionLoss: false, allowKernelArgumentLoss: false },
  }),
  reboot: carries(reboot, { ...rolling, mode: 'default', acceptPendingConfiguration: false }),
}

/** Each call of the port counts as a start. */
const heard = <Port extends object>(say: () => void, port: Port): Port =>
  new Proxy(port, {
    get:
      (calls, name) =>
      (...given: unknown[]) => {
        say()
        return Reflect.get<object, PropertyKey>(calls, name)(...given)
      },
  })

export function checkoutOf(fake: Fake): Checkout {
  const folder = mkdtempSync(join(tmpdir(), 'checkout-'))
  const runs = join(folder, '.run')
  const { cluster } = fake
  const layout: Layout = {
    ...{ kind: 'talenv', root: folder, folder, generated: '', talosconfig: join(folder, 'talosconfig') },
    kubeconfig: join(folder, 'kubeconfig'),
    ...{ secretFile: join(folder, 'talsecret.sops.yaml'), talconfig: 'talconfig.rendered.yaml' },
  }
  const call = {
    ...{ again: 'the same command', cluster, layout, warnings: [] },
    common: { cluster: cluster.id, dryRun: false, yes: true, output: 'quiet' },
  } as unknown as Call
  const runNames = () => (existsSync(runs) ? readdirSync(runs).filter((name) => /^\d{4}-/.test(name)) : []).sort()
  const journals = () => runNames().map((name) => join(runs, name, 'journal.ndjson'))
  return {
    runs,
    journals,
    leave(run, journal) {
      openRunFolder(runs, join(run, 'processes'))
      writeFileSync(join(runs, run, 'journal.ndjson'), journal)
    },
    async type(diesAfter, { verb = 'upgrade', nodes, ...flags } = {}) {
      let isDead = false
      const { starts, count } = countStarts(cluster.name)
      const session: OpenCluster = {
        ...{ cluster, layout, identity: 'ca', talosctl: '1.13.9', roles: ['os:admin'], changes: [], starts },
        talos: heard(
          () => count('talosctl'),
          fake.connect(() => isDead),
        ),
        kubernetes: heard(
          () => count('kubectl'),
          fake.kubernetes.connect(() => isDead),
        ),
      }
      const before = runNames()
      const printed: string[] = []
      const exitCode = await inSilence(printed, () => {
        const death = diesAfter && whenWritten(diesAfter, () => (isDead = true))
        const run = VERBS[verb](session, { ...call, common: { ...call.common, ...flags } }, nodes)
        return death ? Promise.race([run, death]) : run
      })
      if (isDead) bury(runs)
      const newest = runNames().findLast((name) => !before.includes(name)) ?? runNames().at(-1) ?? ''
      const report = join(runs, newest, 'report.json')
      return {
        ...(exitCode === undefined ? {} : { exitCode }),
        report: isFile(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Report) : undefined,
        journal: readJournal(join(runs, newest, 'journal.ndjson')).records,
        events: flags.output === 'json' ? eventsIn(printed) : [],
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** Only what it prints is kept; what it would say on stderr stands in its report. */
async function inSilence<T>(printed: string[], body: () => Promise<T>): Promise<T> {
  // a run that dies leaves its ears behind
  for (const emitter of [process, process.stdout, process.stderr]) emitter.setMaxListeners(0)
  const { stdout, stderr } = process
  const before = [stdout.write, stderr.write] as const
  stderr.write = () => true
  stdout.write = (text) => {
    printed.push(String(text))
    return true
  }
  try {
    return await body()
  } finally {
    ;[stdout.write, stderr.write] = before
  }
}

const eventsIn = (printed: readonly string[]): RunEvent[] =>
  printed
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent)

/** The lock of a process that died looks like a living one's, since that process is this one. */
function bury(runs: string): void {
  for (const name of readdirSync(runs)) if (name.startsWith('lock.')) rmSync(join(runs, name))
}

const { writeSync, closeSync } = fs

/** Journals of dead processes: whatever they still write gets nowhere. */
const graves = new Set<number>()

/** Resolves when a fitting record was written to a journal, whose process calls itself dead from then on. */
function whenWritten(fits: (record: JournalRecord, position: number) => boolean, die: () => void): Promise<undefined> {
  return new Promise((resolve) => {
    let written = 0
    let isOver = false
    const write = (fd: number, bytes: Uint8Array, ...where: unknown[]): number => {
      if (graves.has(fd)) return bytes.length
      const count = (writeSync as (fd: number, bytes: Uint8Array, ...where: unknown[]) => number)(fd, bytes, ...where)
      if (isOver || !fs.readlinkSync(`/proc/self/fd/${fd}`).endsWith('/journal.ndjson')) return count
      written += 1
      if (!fits(JSON.parse(Buffer.from(bytes).toString('utf8')) as JournalRecord, written)) return count
      isOver = true
      graves.add(fd)
      die()
      resolve(undefined)
      return count
    }
    const close = (fd: number) => {
      graves.delete(fd)
      closeSync(fd)
    }
    Object.assign(fs, { writeSync: write, closeSync: close })
    syncBuiltinESMExports()
  })
}
