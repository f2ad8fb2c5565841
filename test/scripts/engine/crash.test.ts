import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Driven } from '../../../scripts/engine/driver.ts'
import { type Journal, openJournal, readJournal } from '../../../scripts/engine/journal.ts'
import type { ClusterOutput } from '../../../workflows/machines/cluster.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'

const NAMES = ['a', 'b', 'c']

type Fake = ReturnType<typeof fakeCluster>

/** One process: drives until its end, or dies at once after (or in the middle of) its n-th record. */
async function live(fake: Fake, file: string, death?: { record: number; torn: boolean }): Promise<Driven | 'dead'> {
  const journal = openJournal(file)
  let dead = false
  let die: () => void = () => {}
  const grave = new Promise<'dead'>((resolve) => {
    die = () => {
      dead = true
      resolve('dead')
    }
  })
  let written = journal.records.length
  const mortal: Journal = {
    ...journal,
    append(record) {
      if (dead) throw new Error('a dead process writes nothing')
      written++
      if (death?.record === written && death.torn) {
        const line = JSON.stringify(record)
        appendFileSync(file, line.slice(0, Math.ceil(line.length / 2)))
        die()
        throw new Error('died while writing')
      }
      journal.append(record)
      if (death?.record === written) {
        die()
        throw new Error('died after writing')
      }
    },
  }
  const run = driveFake(fake, dirname(file), mortal, { isDead: () => dead })
  return Promise.race([grave, run])
}

async function inFolder(body: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'crash-'))
  try {
    await body(join(folder, 'journal.ndjson'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const assertDone = (fake: Fake, ended: Driven | 'dead', when: string) => {
  assert.ok(ended !== 'dead' && ended.ended === 'done', when)
  const { verdicts, failures } = (ended as Driven).state.snapshot.output as ClusterOutput
  assert.equal(failures, [], when)
  assert.equal(
    verdicts.map((v) => v.verdict),
    ['upgraded', 'upgraded', 'upgraded'],
    when,
  )
  assert.equal(fake.trouble, [], when)
  assert.equal(fake.kubernetes.cordoned(), [], `${when}: somebody is left cordoned`)
  // a pod may have to move once from each node that it comes to
  assert.ok(
    [...fake.kubernetes.evictions.values()].every((count) => count <= NAMES.length),
    when,
  )
  for (const [name, node] of fake.nodes) {
    assert.equal([name, node.version, node.installs, node.reboots], [name, 'v1.13.9', 1, 1], when)
  }
}

async function recordsOfAWholeRun(): Promise<number> {
  let count = 0
  await inFolder(async (file) => {
    const fake = fakeCluster(NAMES)
    assertDone(fake, await live(fake, file), 'undisturbed')
    count = readJournal(file).records.length
  })
  return count
}

const total = await recordsOfAWholeRun()

test('writes an intent and an outcome for every step of a whole upgrade', () => {
  // pull and install on three nodes, one snapshot, nine steps in each node's slot, one leader that hands over, the last
  // look, and the boot that each installation begins under
  assert.is(total, 2 * (3 + 1 + 3 + 3 * 9 + 1 + 1) + 3)
})

for (const torn of [false, true]) {
  test(`finishes with one install and one reboot a node after dying ${torn ? 'in the middle of' : 'right after'} any record`, async () => {
    for (let record = 1; record <= total; record++) {
      await inFolder(async (file) => {
        const fake = fakeCluster(NAMES)
        assert.is(await live(fake, file, { record, torn }), 'dead')
        assertDone(fake, await live(fake, file), `died at record ${record}${torn ? ', torn' : ''}`)
      })
    }
  })
}

// a run that is taken up goes back to its gate, so that a life has to last from there until the node is down
test('finishes after dying again and again, sixteen records later each time', async () => {
  await inFolder(async (file) => {
    const fake = fakeCluster(NAMES)
    for (let deaths = 0; deaths < 3 * total; deaths++) {
      const ended = await live(fake, file, { record: readJournal(file).records.length + 16, torn: deaths % 2 === 0 })
      if (ended !== 'dead') return assertDone(fake, ended, `after ${deaths} deaths`)
    }
    assert.unreachable('it never ended')
  })
})

test('leaves the cordon of somebody else where it is', async () => {
  for (let record = 1; record <= total; record++) {
    await inFolder(async (file) => {
      const fake = fakeCluster(NAMES)
      fake.kubernetes.cordon('b')
      await live(fake, file, { record, torn: false })
      const ended = await live(fake, file)
      assert.ok(ended !== 'dead' && ended.ended === 'done')
      assert.equal(fake.kubernetes.cordoned(), ['b'], `died at record ${record}`)
    })
  }
})

test('reads the whole records of a journal that is cut at any byte', async () => {
  await inFolder(async (file) => {
    const fake = fakeCluster(NAMES)
    await live(fake, file)
    const content = readFileSync(file)
    for (let bytes = content.length; bytes >= 0; bytes -= 7) {
      truncateSync(file, bytes)
      const lines = content.subarray(0, bytes).toString().split('\n').length - 1
      assert.is(readJournal(file).records.length, lines)
    }
  })
})

test.run()
