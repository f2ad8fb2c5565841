import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import { dieAfterRecord, finishAndJudge, journalOf, reportOf } from './crash.ts'
import { withLab } from './with-lab.ts'
import { budgetOver, database, deployment } from './workloads.ts'

/**
 * Kills a drained verb over two nodes of three after each `of`-th record of its journal from `first` on, types the command
 * again each time, and judges what both runs did. An upgrade goes on to the next patch each time.
 */
export async function killAfterEveryRecord(
  entry: Extract<VerbName, 'upgrade' | 'reboot'>,
  { first, of }: { first: number; of: number },
): Promise<void> {
  const workloads = [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)]
  const timings = { stopSeconds: 100, rebootSeconds: 100 }
  await withLab({ kubernetes: true, workloads, version: 'v1.13.2', speed: 100, timings }, async (lab) => {
    writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '500ms' } }))
    const records: number[] = []
    for (let record = first, patch = 3; ; record += of, patch += 1) {
      const from = lab.log().length
      const wish = ['--nodes', 'k8s-2,k8s-3', ...(entry === 'upgrade' ? ['--to', `v1.13.${patch}`] : [])]
      if (!(await dieAfterRecord(lab, record, wish, entry))) break
      // it has ended; whoever types it again then wishes for another one
      if (journalOf(lab).at(-1)?.type === 'end') break
      const when = `${entry} was killed after record ${record}`
      await finishAndJudge(lab, when, { entry, done: { 'k8s-1': true }, wish, from })
      assert.ok(reportOf(lab).resumed, when)
      records.push(record)
    }
    process.stdout.write(`  killed after ${records.join()}\n`)
    assert.ok((records.at(-1) ?? 0) > 30, `its journal has no more than ${records.at(-1)} records`)
  })
}
