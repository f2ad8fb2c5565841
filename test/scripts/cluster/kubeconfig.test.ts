import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubeconfig } from '../../../scripts/cluster/kubeconfig.ts'
import type { Talos } from '../../../scripts/cluster/talos.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'

const test = suite<{ folder: string }>('a kubeconfig that talosctl makes')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

/** Control planes that are silent until somebody ends the call, or lets it answer. */
function silent(folder: string) {
  const calls: { signal: AbortSignal | undefined; answer: () => void }[] = []
  const talos: Pick<Talos, 'kubeconfig'> = {
    kubeconfig: (_, path, { signal }) =>
      new Promise<Result<void>>((resolve) => {
        const cutOff = () => resolve({ ok: false, failure: failure('command-failed', { detail: 'was interrupted' }) })
        if (signal?.aborted) return cutOff()
        signal?.addEventListener('abort', cutOff)
        const answer = () => {
          writeFileSync(path, 'kubeconfig')
          resolve({ ok: true, value: undefined })
        }
        calls.push({ signal, answer })
      }),
  }
  const controlPlanes = ['a', 'b'].map((name) => ({ name, address: '127.0.0.1', role: 'controlplane' as const }))
  const fetch = createKubeconfig({
    ...{ talos: talos as Talos, controlPlanes, given: join(folder, 'own'), runFolder: join(folder, '.run') },
    timeoutMs: 600_000,
  })
  return { calls, fetch }
}

const why = (got: Result<string>): string => (got.ok ? 'got' : got.failure.reason)
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('is waited for no longer by who is told to end, and its call is cut off when nobody waits any more', async ({
  folder,
}) => {
  const { calls, fetch } = silent(folder)
  const [one, other] = [new AbortController(), new AbortController()]
  const asked = [one, other].map(({ signal }) => fetch({ refused: false, signal }))
  await turn()
  one.abort()
  assert.is(why((await asked[0]) as Result<string>), 'interrupted')
  assert.equal(
    calls.map(({ signal }) => signal?.aborted),
    [false],
    'the other one waits',
  )
  other.abort()
  assert.is(why((await asked[1]) as Result<string>), 'interrupted')
  assert.equal(
    calls.map(({ signal }) => signal?.aborted),
    [true],
    'and no other control plane is asked',
  )
  // whoever comes next has it fetched anew
  const next = fetch({ refused: false })
  await turn()
  await turn()
  calls.at(-1)?.answer()
  assert.is(why(await next), 'got')
})

test('is fetched once for all who want it meanwhile', async ({ folder }) => {
  const { calls, fetch } = silent(folder)
  const asked = [fetch({ refused: false }), fetch({ refused: true })]
  await turn()
  assert.is(calls.length, 1)
  calls[0]?.answer()
  assert.equal((await Promise.all(asked)).map(why), ['got', 'got'])
})

test('is kept for its owner alone, whatever privacy it was written with, and no draft is left', async ({ folder }) => {
  const { calls, fetch } = silent(folder)
  const asked = fetch({ refused: false })
  await turn()
  calls[0]?.answer()
  assert.is(why(await asked), 'got')
  const runFolder = join(folder, '.run')
  assert.is(statSync(join(runFolder, 'kubeconfig')).mode & 0o777, 0o600)
  assert.equal(
    readdirSync(runFolder).filter((name) => name.startsWith('kubeconfig')),
    ['kubeconfig'],
  )
})

test('is not even asked for by who was told to end before', async ({ folder }) => {
  const { calls, fetch } = silent(folder)
  assert.is(why(await fetch({ refused: false, signal: AbortSignal.abort() })), 'interrupted')
  await turn()
  assert.equal(calls, [])
})

test.run()
