/** Whatever the disk refuses, wherever: a failure that names the file, says why in words, and what to type. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubeconfig } from '../../../scripts/cluster/kubeconfig.ts'
import type { Talos } from '../../../scripts/cluster/talos.ts'
import type { World } from '../../../scripts/cluster/world.ts'
import { comparePlaced } from '../../../scripts/config/placing/compare-placed.ts'
import { finishPlacing } from '../../../scripts/config/placing/finish-placing.ts'
import { place } from '../../../scripts/config/placing/place.ts'
import { privateFolder } from '../../../scripts/config/private-folder.ts'
import { readSource } from '../../../scripts/declaration/load-cluster.ts'
import { createWhole } from '../../../scripts/disk/create-whole.ts'
import { failureOfThrown, onDisk } from '../../../scripts/disk/on-disk.ts'
import { carryOutEffect } from '../../../scripts/engine/carry-out-effect.ts'
import { type Drive, drive, type Intent } from '../../../scripts/engine/driver.ts'
import { appendTo, type JournalRecord, openJournal, readJournal } from '../../../scripts/engine/journal.ts'
import { acquireLock } from '../../../scripts/engine/lock.ts'
import {
  findUnfinishedRuns,
  fromMemory,
  newRun,
  openRunFolder,
  prune,
  recall,
  runFolder,
} from '../../../scripts/engine/run-folder.ts'
import { createStop } from '../../../scripts/engine/stop.ts'
import { createRun } from '../../../scripts/run.ts'
import { rememberRegistered } from '../../../scripts/schematic/registered.ts'
import { createInstallMemory } from '../../../scripts/steps/install-memory.ts'
import { snapshotEtcd } from '../../../scripts/steps/snapshot-etcd.ts'
import { createSteps } from '../../../scripts/steps/steps.ts'
import { acquireBuildLock } from '../../../scripts/toolchain/build-lock.ts'
import { readTalosconfig } from '../../../scripts/tools/talosctl/talosconfig.ts'
import { writeReport } from '../../../scripts/view/report.ts'
import { clusterMachine } from '../../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../../workflows/machines/node.ts'
import type { Failure, Result } from '../../../workflows/model/failure.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { awake } from '../../support/awake.ts'
import { onFailingDisk } from '../../support/failing-disk.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'
import { isTypable } from '../../support/is-typable.ts'
import { upgradePlan } from '../../support/upgrade-plan.ts'

const ERRORS = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'ENFILE', 'EIO']

const at = '2026-11-20T02:30:00.000Z'
const begins = (run: string): JournalRecord => ({
  type: 'run',
  v: 1,
  run,
  command: 'upgrade',
  cluster: 'cluster-7',
  at,
  inputs: 'i',
  plan: upgradePlan([]),
  again: '',
  identity: 'ours',
})

/** A cluster's folder in which a run has ended. */
function clusterFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'on-disk-'))
  const paths = newRun(runFolder(folder), 'upgrade', new Date(at))
  const journal = openJournal(paths.journal)
  journal.append(begins(paths.run))
  journal.append({ type: 'end', at, how: 'finished', exitCode: 0 })
  journal.close()
  return folder
}

const thrown = async (work: () => unknown): Promise<Failure[]> => {
  try {
    await work()
    return []
  } catch (error) {
    return [failureOfThrown(error)]
  }
}
const failed = (result: Result<unknown, Failure | Failure[]>): Failure[] => (result.ok ? [] : [result.failure].flat())

/** Everything of ours that reads or writes files, as commands call it. */
const PLACES: Record<string, (folder: string) => Failure[] | Promise<Failure[]>> = {
  'the run folder': (folder) => failed(onDisk(() => openRunFolder(join(folder, 'other/.run')))),
  'a new run': (folder) => failed(onDisk(() => newRun(runFolder(folder), 'upgrade', new Date()))),
  'a new journal': (folder) =>
    failed(
      onDisk(() => {
        const journal = openJournal(join(folder, 'journal.ndjson'))
        const unwritten = appendTo(journal, begins('r'))
        journal.close()
        if (unwritten) assert.is(unwritten.reason, 'journal-unwritable')
        return unwritten
      }),
    ),
  'the memory of earlier runs': (folder) => failed(fromMemory(() => recall(runFolder(folder), 'ours'))),
  'runs that have not ended': (folder) => failed(fromMemory(() => findUnfinishedRuns(runFolder(folder)))),
  'letting go of old runs': (folder) => failed(fromMemory(() => prune(runFolder(folder), 'ours'))),
  'the lock': (folder) => {
    const asked = onDisk(() => acquireLock(runFolder(folder), 'a test'))
    return asked.ok ? failed(asked.value.ok ? onDisk(asked.value.lock.release) : asked.value) : [asked.failure]
  },
  'whether the lock is still held': async (folder) => {
    const asked = onDisk(() => acquireLock(runFolder(folder), 'a test'))
    if (!asked.ok || !asked.value.ok) return failed(asked.ok ? (asked.value as Result<unknown>) : asked)
    const lost = asked.value.lock.lost()
    return lost ? [lost] : []
  },
  'the report': (folder) => {
    const report = { v: 1, resumed: false, steps: [], phases: {}, verdicts: {}, failures: [], notices: [] } as const
    return failed(
      onDisk(() =>
        writeReport(join(folder, 'report.json'), { ...report, commands: [] } as never, { changes: [], starts: {} }),
      ),
    )
  },
  'the kubeconfig': async (folder) => {
    const talos = {
      kubeconfig: async (_: unknown, path: string) => {
        const [unwritten] = await thrown(() => createWhole(path, 'kubeconfig', 0o600))
        return unwritten ? { ok: false, failure: unwritten } : { ok: true, value: undefined }
      },
    } as unknown as Talos
    const controlPlanes = [{ name: 'a', address: '127.0.0.1', role: 'controlplane' as const }]
    const fetch = createKubeconfig({
      talos,
      controlPlanes,
      given: join(folder, 'kubeconfig'),
      runFolder: runFolder(folder),
      timeoutMs: 1,
    })
    return failed(await fetch({ refused: true }))
  },
  'generated files': (folder) => {
    const places = { outDir: folder, stateDir: runFolder(folder) }
    const generated = new Map([['node.yaml', Buffer.from('a: 1\n')]])
    const finished = finishPlacing(places)
    if (!finished.ok) return [finished.failure]
    const compared = comparePlaced(places, generated)
    if (!compared.ok) return compared.failure
    return failed(place(places, generated, compared.value, { caFingerprint: 'x' }, { discardEdits: false }))
  },
  'a snapshot of etcd, as the step that takes it': async (folder) => {
    const { cluster, connect } = fakeCluster(['a', 'b', 'c'])
    const world = { cluster, talos: connect(() => false), snapshots: join(runFolder(folder), 'snapshots'), run: 'r' }
    const run = {
      steps: { 'snapshot-etcd': snapshotEtcd(world as World) },
      stop: createStop(),
      emit: () => {},
      confirm: async () => undefined,
    }
    const meta = { step: 'snapshot-etcd', title: '', disruptive: false, changes: false, cutOff: 'at once' }
    const { outcome } = await carryOutEffect(
      run as unknown as Drive,
      { path: 's', meta, input: { node: 'a' }, about: { node: 'a' } } as never,
      {
        intent: { processFile: '' } as Intent,
        begunBefore: false,
        isStale: () => false,
        sleeps: () => 0,
        orphans: [],
        left: new AbortController().signal,
      },
    )
    return outcome?.ok === false ? [outcome.failure] : []
  },
  'a private folder': (folder) => thrown(() => privateFolder({ XDG_RUNTIME_DIR: folder }).remove()),
  'a file of init': (folder) => thrown(() => createWhole(join(folder, 'new/age.key'), 'key', 0o600)),
  'the schematics that are registered': (folder) =>
    failed(rememberRegistered(['s'], { factory: 'https://f', cacheFile: join(folder, 'schematics.json') })),
  'the cache of tools': (folder) =>
    thrown(async () => {
      const release = await acquireBuildLock(join(folder, 'tools/x'), {
        signal: new AbortController().signal,
        onWait: (holder) => assert.unreachable(holder),
      })
      release()
    }),
  'what a command notes of itself': (folder) =>
    thrown(async () => {
      const run = createRun({ paths: {}, env: process.env })
      const command = { tool: 'git', argv: ['--version'], timeoutMs: 5_000, mutates: true } as const
      const processFile = join(folder, '1.pid')
      for (const uninterruptible of [false, true]) await run(command, { processFile, uninterruptible })
    }),
}

const hints = new Set<string>()

for (const [name, work] of Object.entries(PLACES))
  test(`${name}: whatever the disk refuses is a failure that names the file and what to do`, async () => {
    for (const code of ERRORS) {
      let met = 0
      for (let call = 1; ; call++) {
        const folder = clusterFolder()
        try {
          const { value, refused } = await onFailingDisk({ code, at: call, below: folder }, () => work(folder))
          if (!refused) break
          for (const { reason, detail = '', hint } of value) {
            met++
            assert.is.not(reason, 'bug', detail)
            assert.match(detail, code)
            assert.ok(detail.includes(folder), detail)
            assert.not.match(detail, /\n\s+at /, 'no stack trace')
            if (hint !== undefined) hints.add(hint.replaceAll(folder, '/f'))
          }
        } finally {
          rmSync(folder, { recursive: true, force: true })
        }
      }
      const onlyChanges = ['the memory of earlier runs', 'runs that have not ended', 'letting go of old runs']
      const reads = ['EACCES', 'EMFILE', 'ENFILE', 'EIO'].includes(code)
      // a private folder goes where it can be made
      if (name !== 'a private folder' && (reads || !onlyChanges.includes(name))) assert.ok(met > 0, `${code} was met`)
    }
  })

test('a folder in the place of a declaration or a talosconfig is named as such', async () => {
  const [wrong] = await thrown(() => readSource(tmpdir()))
  assert.match(wrong?.detail ?? '', `${tmpdir()} is a folder, and a file is wanted`)
  const read = readTalosconfig(tmpdir())
  assert.match((!read.ok && read.failure.detail) || '', `${tmpdir()} is a folder, and a file is wanted`)
})

test('every hint about a file can be typed', () => {
  assert.ok(hints.size > 3, [...hints].join('\n'))
  for (const hint of hints) assert.ok(isTypable(hint), hint)
})

/** Drives an upgrade of three nodes in this process, with all its files on a disk that fails. */
async function driveOn(refusal: { code: string; at: number; once: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), 'on-disk-'))
  const fake = fakeCluster(['a', 'b', 'c'])
  const root = runFolder(folder)
  const paths = newRun(root, 'upgrade', new Date(at))
  const failures: Failure[] = []
  try {
    const { refused } = await onFailingDisk({ ...refusal, below: folder }, async () => {
      const opened = onDisk(() => openJournal(paths.journal))
      if (!opened.ok) return failures.push(opened.failure)
      const journal = opened.value
      const driven = await drive({
        machines: { node: nodeMachine },
        root: clusterMachine,
        input: fake.plan,
        steps: createSteps({
          cluster: fake.cluster,
          talos: fake.connect(() => false),
          ...{ kubernetes: fake.kubernetes.connect(() => false), sight: fake.kubernetes.connect(() => false) },
          acceptEtcdOutage: false,
          snapshots: join(root, 'snapshots'),
          tookNoneDown: new Set(),
          run: paths.run,
          installs: createInstallMemory(recollect([], ''), journal),
          plans: fake.plan.nodes,
          knocks: async () => true,
        }),
        journal,
        processes: paths.processes,
        emit: (event) => void (event.type === 'step.failed' && failures.push(event.failure)),
        stop: createStop(),
        heartbeat: awake,
        fence: () => undefined,
        confirm: async () => undefined,
      })
      journal.close()
      return driven.ended === 'broken' && failures.push(driven.failure)
    })
    return { fake, refused, failures, records: readJournal(paths.journal).records }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const once of [true, false])
  test(`a disk that ${once ? 'fails once' : 'is full from some moment on'} ends an upgrade in words, and nothing disruptive begins untold`, async () => {
    // each write follows an intent or an outcome: every other one meets both sides of all of them
    for (let call = 1; ; call += once ? 5 : 2) {
      const { fake, refused, failures, records } = await driveOn({ code: 'ENOSPC', at: call, once })
      if (!refused) {
        assert.ok(call > 100, `${call} writes`)
        assert.equal(failures, [])
        break
      }
      assert.ok(failures.length > 0, `write ${call}`)
      for (const { reason, detail } of failures) assert.is.not(reason, 'bug', detail)
      const told = (step: string, node: string) =>
        records.filter((r) => r.type === 'intent' && r.step === step && r.node === node).length
      for (const [node, { installs, reboots }] of fake.nodes) {
        assert.ok(installs <= told('install', node), `write ${call}: ${node} was installed, and no intent tells of it`)
        assert.ok(reboots <= told('reboot', node), `write ${call}: ${node} was rebooted, and no intent tells of it`)
      }
      assert.equal(fake.trouble, [])
    }
  })

test('an upgrade that can not read what an earlier one began is refused, and nothing is changed', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  mkdirSync(newRun(checkout.runs, 'upgrade', new Date(at)).journal)
  newRun(checkout.runs, 'upgrade', new Date('2026-11-21T02:30:00.000Z'))
  const { exitCode } = await checkout.type()
  assert.is(exitCode, 77)
  for (const { installs, reboots } of fake.nodes.values()) assert.is(installs + reboots, 0)
  checkout.remove()
})

test('a journal that is a folder, or damaged, is no empty memory', () => {
  for (const [spoil, expected] of [
    [
      (file: string) => mkdirSync(file),
      /journal\.ndjson is a folder, and a file is wanted \(EISDIR\), so what earlier/,
    ],
    [
      (file: string) => writeFileSync(file, '{"type":"run"}\n\0\0\n{"type":"installing"}\n'),
      /is damaged in line 2, so/,
    ],
  ] as const) {
    const folder = clusterFolder()
    const paths = newRun(runFolder(folder), 'upgrade', new Date())
    spoil(paths.journal)
    for (const read of [recall, findUnfinishedRuns]) {
      const [unread] = failed(fromMemory<unknown>(() => read(runFolder(folder), 'ours')))
      assert.is(unread?.reason, 'memory-unreadable')
      assert.match(unread?.detail ?? '', expected)
      assert.ok(isTypable(unread?.hint ?? '('), unread?.hint)
    }
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
