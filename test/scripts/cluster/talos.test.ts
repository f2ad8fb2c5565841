import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTalos } from '../../../scripts/cluster/talos.ts'
import type { Run } from '../../../scripts/run.ts'
import { commandResult } from '../../support/command-result.ts'

const node = { name: 'k8s-1', address: '10.0.0.1', role: 'controlplane' } as const
const [BEFORE, AFTER] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']

/** A node that is going down for a reboot when it is first asked, and is back with all that is new after `calls` answers. */
function rebootingAfter(calls: number): Run {
  let answered = 0
  return async ({ argv }) => {
    const isBack = answered++ >= calls
    const said = argv.includes('read')
      ? isBack
        ? AFTER
        : BEFORE
      : argv.includes('version')
        ? `Server:\n\tNODE:        ${node.address}\n\tTag:         ${isBack ? 'v1.13.9' : 'v1.13.5'}`
        : JSON.stringify(
            {
              metadata: { type: 'MachineStatuses.runtime.talos.dev', id: 'machine' },
              node: node.address,
              spec: { stage: isBack ? 'running' : 'rebooting', status: { ready: true, unmetConditions: [] } },
            },
            null,
            4,
          )
    return commandResult({ stdout: `${said}\n` })
  }
}

test('never shows a node that rebooted meanwhile as running in the boot before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'talos-'))
  const talosconfig = join(folder, 'talosconfig')
  writeFileSync(talosconfig, '')
  try {
    for (const calls of [0, 1, 2, 3]) {
      const talos = createTalos(rebootingAfter(calls), { talosconfig, endpoints: [node.address] })
      const seen = await talos.glance(node, { timeoutMs: 5000 })
      assert.ok(seen.ok, JSON.stringify(seen))
      const { bootId, stage } = (seen as Extract<typeof seen, { ok: true }>).value
      assert.not(bootId === BEFORE && stage === 'running', `back after ${calls} answers`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
