import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTalos, type Talos } from '../../../scripts/cluster/talos.ts'
import type { Run } from '../../../scripts/run.ts'
import { commandResult } from '../../support/command-result.ts'

const node = { name: 'k8s-1', address: '10.0.0.1', role: 'controlplane' } as const
const [BEFORE, AFTER] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']

const WORDS = [
  ...['read', 'version', 'machinestatus', 'extensions', 'logs'],
  ...['securitystate', 'platformmetadata', 'machinetype'],
]

/** A node that is going down for a reboot when it is first asked, and is back with all that is new after `calls` answers. */
function rebootingAfter(calls: number, asked: string[] = [], before = { stage: 'rebooting' }): Run {
  const resource = (id: string, spec: object) => JSON.stringify({ metadata: { id }, node: node.address, spec }, null, 4)
  let answered = 0
  const line = (at: number) => `${node.address}: 2026/11/29 01:46:24.${String(100_000 + at)} [talos] said ${at}`
  return async ({ argv }) => {
    const isBack = answered++ >= calls
    /** each call leaves a line, and a log begins anew with each boot */
    const [from, to] = isBack ? [1_000 + calls, 1_000 + answered] : [0, answered]
    const [what = ''] = WORDS.filter((word) => argv.includes(word))
    asked.push(what)
    const version = isBack ? 'v1.13.9' : 'v1.13.5'
    const answers: Record<string, string> = {
      read: (isBack ? AFTER : BEFORE) ?? '',
      version: `Server:\n\tNODE:        ${node.address}\n\tTag:         ${version}`,
      machinestatus: resource('machine', {
        stage: isBack ? 'running' : before.stage,
        status: { ready: true, unmetConditions: [] },
      }),
      securitystate: resource('securitystate', {}),
      platformmetadata: resource('platformmetadata', { platform: 'metal' }),
      machinetype: JSON.stringify(
        { metadata: { id: 'machine-type' }, node: node.address, spec: 'controlplane' },
        null,
        4,
      ),
      extensions: resource('0', { metadata: { name: `of ${version}`, version: '1' } }),
      logs: Array.from({ length: to - from }, (_, at) => line(from + at)).join('\n'),
    }
    return commandResult({ stdout: `${answers[what]}\n` })
  }
}

async function talosOf<T>(run: Run, work: (talos: Talos) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'talos-'))
  const talosconfig = join(folder, 'talosconfig')
  writeFileSync(talosconfig, '')
  try {
    return await work(createTalos(run, { talosconfig, endpoints: [node.address], knock: async () => true }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const limits = { timeoutMs: 5000 }

test('never shows a node that rebooted meanwhile as running in the boot before', async () => {
  for (const calls of [0, 1, 2, 3]) {
    const seen = await talosOf(rebootingAfter(calls), (talos) => talos.glance(node, limits))
    assert.ok(seen.ok, JSON.stringify(seen))
    const { bootId, stage } = (seen as Extract<typeof seen, { ok: true }>).value
    assert.not(bootId === BEFORE && stage === 'running', `back after ${calls} answers`)
  }
})

for (const stage of ['rebooting', 'running'])
  test(`tells of a boot only what that boot has told, whenever the node reboots, which is ${stage}`, async () => {
    for (let calls = 0; calls < 24; calls++)
      await talosOf(rebootingAfter(calls, [], { stage }), async (talos) => {
        await talos.glance(node, limits)
        for (let look = 0; look < 4; look++) {
          const seen = await talos.inspect(node, limits)
          assert.ok(seen.ok)
          const { version, bootId, extensions } = seen.value
          const isBack = bootId === AFTER
          const wanted = isBack ? ['v1.13.9', 'running', 'of v1.13.9'] : ['v1.13.5', stage, 'of v1.13.5']
          assert.equal([version, seen.value.stage, extensions[0]], wanted, `back after ${calls} answers, look ${look}`)
        }
      })
  })

test('asks a boot no more for what does not change in it', async () => {
  const asked: string[] = []
  await talosOf(rebootingAfter(0, asked), async (talos) => {
    const ask = async (question: () => Promise<unknown>) => {
      asked.length = 0
      await question()
      return asked.toSorted().join(' ')
    }
    const inspects = () => ask(() => talos.inspect(node, limits))
    assert.is(await inspects(), 'extensions logs machinestatus read version')
    assert.is(await inspects(), 'extensions logs machinestatus read version', 'it was not known which boot told it')
    assert.is(await inspects(), 'logs machinestatus', 'the log went on')
    assert.is(await ask(() => talos.otherSlot(node, 'v1.13.9', limits)), 'logs')
    assert.is(await ask(() => talos.inspect(node, { ...limits, slot: false })), 'machinestatus read')
    assert.is(await ask(() => talos.glance(node, limits)), 'machinestatus read')
  })
})

test('asks for the boot of a node again whose log does not go on where it was, and for all that its boot told', async () => {
  const asked: string[] = []
  await talosOf(rebootingAfter(10, asked, { stage: 'running' }), async (talos) => {
    await talos.inspect(node, limits)
    await talos.inspect(node, limits)
    asked.length = 0
    const slot = await talos.otherSlot(node, 'v1.13.5', limits)
    assert.is(slot.ok && slot.value.bootId, AFTER)
    assert.equal(asked, ['logs', 'read'])
    const seen = await talos.inspect(node, limits)
    assert.equal(seen.ok && [seen.value.bootId, seen.value.version], [AFTER, 'v1.13.9'])
  })
})

test('asks a node that is on its way down for its stage alone', async () => {
  const asked: string[] = []
  const before = { stage: 'running' }
  await talosOf(rebootingAfter(100, asked, before), async (talos) => {
    await talos.inspect(node, limits)
    await talos.inspect(node, limits)
    before.stage = 'rebooting'
    asked.length = 0
    const seen = await talos.glance(node, limits)
    assert.equal(seen.ok && [seen.value.stage, seen.value.bootId, seen.value.version], ['rebooting', BEFORE, 'v1.13.5'])
    assert.equal(asked, ['machinestatus'])
  })
})

test.run()
