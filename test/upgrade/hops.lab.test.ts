// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inFull } from '../support/in-full.ts'
import { startLab } from '../support/lab.ts'
import { assertUpgraded, changesOf, cordonedIn } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

// drained from release to release, each step as the refusal before it, or the declaration, has it
const target = 'v1.14.1'
const workloads = [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)]
const lab = await startLab({
  ...{ version: 'v1.12.9', target, kubernetesVersion: 'v1.35.4' },
  ...{ kubernetes: true, workloads, speed: 40 },
})
const names = Object.keys(lab.addresses)
const all = <T>(value: T): T[] => names.map(() => value)
const operations = { upgrade: { soak: '500ms' } }

test.after(() => lab.down())

let hop: string[] = []

test('From 1.12 to 1.14 is refused, and the next hop named as what to type', async () => {
  const run = await runUpgrade(lab, { operations })
  assertEnding(run, names, { code: 77, verdicts: all('refused'), reasons: ['hop-too-long'] })
  const [hint] = new Set(run.finished.failures.map((failure) => failure.hint))
  hop = /--to v1\.13\.\d+/.exec(hint ?? '')?.[0].split(' ') ?? []
  assert.ok(hint?.startsWith('node --import tsx workflows/upgrade.ts ') && hint.endsWith(` ${hop.join(' ')}`), hint)
  assert.equal(changesOf(lab.log()), [])
})

let hops = 0

/** One whole upgrade: each node is drained, installed to and rebooted once more. */
async function goesTo(version: string, flags: readonly string[] = ['--to', version]): Promise<void> {
  const from = lab.log().length
  const run = await runUpgrade(lab, { flags, operations })
  assertEnding(run, names, { code: 0, verdicts: all('upgraded'), reasons: [] })
  hops += 1
  await assertUpgraded(lab, version, Object.fromEntries(names.map((name) => [name, [hops, hops] as const])))
  const log = lab.log().slice(from)
  assert.equal(cordonedIn(log), names)
  assert.ok(
    log.some((e) => e.type === 'pod.evicted' && e.code === 201 && !e.dryRun),
    'nothing was evicted',
  )
  assert.equal(await lab.cordoned(), [])
}

test('What was named takes it to 1.13, which installs and reboots in one call', () => goesTo(hop[1] ?? '', hop))

if (inFull) test('1.13 goes on to 1.14.0', () => goesTo('v1.14.0'))

test(`${inFull ? '1.14.0' : '1.13'} goes on to the declared 1.14.1`, () => goesTo(target, []))

test.run()
