// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startLab } from '../support/lab.ts'
import { assertUpgraded, changesOf } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'

// from release to release, each step as the refusal before it, or the declaration, has it
const target = 'v1.14.1'
const lab = await startLab({ version: 'v1.12.9', target, kubernetesVersion: 'v1.35.4', speed: 100 })
const names = Object.keys(lab.addresses)
const all = <T>(value: T): T[] => names.map(() => value)
const times = (count: number) => Object.fromEntries(names.map((name) => [name, [count, count] as const]))

test.after(() => lab.down())

let hop: string[] = []

test('From 1.12 to 1.14 is refused, and the next hop named as what to type', async () => {
  const run = await runUpgrade(lab)
  assertEnding(run, names, { code: 77, verdicts: all('refused'), reasons: ['hop-too-long'] })
  const [hint] = new Set(run.finished.failures.map((failure) => failure.hint))
  hop = /--to v1\.13\.\d+/.exec(hint ?? '')?.[0].split(' ') ?? []
  assert.ok(hint?.startsWith('node --import tsx workflows/upgrade.ts ') && hint.endsWith(` ${hop.join(' ')}`), hint)
  assert.equal(changesOf(lab.log()), [])
})

test('What was named takes it to 1.13, which installs and reboots in one call', async () => {
  const run = await runUpgrade(lab, { flags: hop })
  assertEnding(run, names, { code: 0, verdicts: all('upgraded'), reasons: [] })
  await assertUpgraded(lab, hop[1] ?? '', times(1))
})

test('1.13 goes on to 1.14.0', async () => {
  const run = await runUpgrade(lab, { flags: ['--to', 'v1.14.0'] })
  assertEnding(run, names, { code: 0, verdicts: all('upgraded'), reasons: [] })
  await assertUpgraded(lab, 'v1.14.0', times(2))
})

test('1.14.0 goes on to the declared 1.14.1', async () => {
  const run = await runUpgrade(lab)
  assertEnding(run, names, { code: 0, verdicts: all('upgraded'), reasons: [] })
  await assertUpgraded(lab, target, times(3))
})

test.run()
