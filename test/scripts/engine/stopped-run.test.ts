/** A run that is stopped anywhere says of every node what its own outcomes say, and no less. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { crew } from '../../../scripts/cli/compose-crew.ts'
import { type JournalRecord, openJournal } from '../../../scripts/engine/journal.ts'
import { createStop } from '../../../scripts/engine/stop.ts'
import type { NodeVerdict } from '../../../workflows/model/verdict.ts'
import { endingOf } from '../../../workflows/plan/ending.ts'
import { begunBy } from '../../../workflows/plan/judge.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'

const NAMES = ['a', 'b', 'c']
const WAS = 'v1.13.5'
const TARGET = 'v1.13.9'

type Stopped = { verdicts: NodeVerdict[]; records: readonly JournalRecord[]; ended: string }

/** Drives until the end, or is asked to stop right after its n-th record. */
async function stoppedAfter(
  fake: ReturnType<typeof fakeCluster>,
  folder: string,
  stopsAfter = Number.POSITIVE_INFINITY,
): Promise<Stopped> {
  const journal = openJournal(join(folder, 'journal.ndjson'))
  const stop = createStop()
  let written = 0
  const heard = {
    ...journal,
    get records() {
      return journal.records
    },
    append(record: JournalRecord) {
      journal.append(record)
      if (++written === stopsAfter) stop.request('SIGTERM')
    },
  }
  const driven = await driveFake(fake, folder, heard, { stop })
  const { verdicts: stood, failures } = crew.standing(driven.state)
  const { records } = journal
  const way = driven.ended === 'done' ? ({ ended: 'done' } as const) : ({ ended: 'stopped', exitCode: 143 } as const)
  const ending = endingOf({ way, stood, failures, plans: fake.plan.nodes, begun: begunBy(records), again: 'again' })
  journal.close()
  return { verdicts: ending.verdicts, records, ended: driven.ended }
}

/** What the run saw of a node, by its journal alone. */
const saw = (records: readonly JournalRecord[], node: string, step: string): boolean =>
  records.some((record) => {
    if (record.type !== 'outcome' || !record.ok) return false
    const [of, , ended] = record.path.split('/')
    // one that was asked nothing runs on
    return of === node && ended === step && !(record.output as { stillUp?: boolean } | undefined)?.stillUp
  })

test('what it had not asked when it was stopped is not taken for begun by the next run', async () => {
  let keptBack = 0
  for (let record = 1; ; record += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'stopped-run-'))
    const fake = fakeCluster(NAMES)
    const { ended, records } = await stoppedAfter(fake, folder, record)
    rmSync(folder, { recursive: true })
    if (ended === 'done') break
    const { installs } = recollect([{ run: 'r', records: [{ type: 'run' }, ...records] }], '')
    for (const name of NAMES) {
      const of = records.filter((one) => 'path' in one && one.path === `${name}/install/install`)
      if (of.at(-1)?.type !== 'unasked') continue
      keptBack += 1
      assert.equal([installs[name], fake.nodes.get(name)?.installs], [undefined, 0], `stopped after record ${record}`)
    }
  }
  assert.ok(keptBack > 3, `${keptBack} were kept back`)
})

test('wherever it is stopped, its verdicts say what it saw; and so they do when the next run was stopped as well', async () => {
  for (let record = 1; ; record += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'stopped-run-'))
    const fake = fakeCluster(NAMES)
    const first = await stoppedAfter(fake, folder, record)
    if (first.ended === 'done') {
      rmSync(folder, { recursive: true })
      assert.ok(record > 50, `${record} records`)
      break
    }
    // the second one is stopped a node later
    const second = await stoppedAfter(fake, folder, 12)
    for (const { verdicts, records } of [first, second])
      for (const { node, verdict, evidence } of verdicts) {
        const when = `stopped after record ${record}: ${node} ${verdict} ${JSON.stringify(evidence)}`
        const booted = saw(records, node, 'reboot')
        assert.is(evidence.version, booted ? TARGET : WAS, when)
        if (booted) assert.is(evidence.waiting, undefined, when)
        if (booted) assert.is(evidence.versionBefore, WAS, when)
        else if (saw(records, node, 'install')) assert.ok(evidence.waiting, when)
        if (saw(records, node, 'verify')) assert.is(evidence.ready, true, when)
        assert.ok(
          (booted ? ['upgraded', 'interrupted'] : ['unchanged', 'installed-not-rebooted', 'interrupted']).includes(
            verdict,
          ),
          when,
        )
      }
    rmSync(folder, { recursive: true })
  }
})

test.run()
