import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes, LeaseObject } from '../../../scripts/cluster/kubernetes.ts'
import { type Holder, thisHolder } from '../../../scripts/engine/process-identity.ts'
import { takeHold } from '../../../scripts/engine/take-hold.ts'
import { failure } from '../../../workflows/model/failure.ts'

const test = suite<{ folder: string }>('the hold on a cluster')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hold-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const us = thisHolder('upgrade of cluster-7')
/** in another container, so that nobody here can look at it */
const elsewhere: Holder = { ...us, pid: 1, host: 'ci', pidNamespace: 'pid:[1] other' }

const leaseOf = (holder: Holder): LeaseObject => ({
  metadata: {
    name: 'l',
    namespace: 'n',
    resourceVersion: '1',
    annotations: { 'talos-workflows/holder': JSON.stringify(holder) },
  },
  spec: {
    holderIdentity: `${holder.user}@${holder.host}/${holder.pid}-${holder.identity.split(' ').at(-1)}`,
    leaseDurationSeconds: 1,
    renewTime: '2026-01-01T00:00:00.000000Z',
  },
})

const missing = "the kubeconfig's user ci may not get leases in kube-system"

function kubernetes(lease: LeaseObject | 'free' | 'silent' | 'forbidden') {
  const changes: string[] = []
  const forbidden = failure('kubernetes-forbidden', { detail: missing, manifest: 'kind: Role' })
  const silent = { ok: false as const, failure: failure('kubernetes-unreachable', { detail: 'refused' }) }
  const change = (name: string) => (next: LeaseObject) => {
    changes.push(name)
    return Promise.resolve({ ok: true as const, value: next })
  }
  const api = {
    readLease: async () => {
      changes.push('look')
      if (lease === 'forbidden') return { ok: false, failure: forbidden }
      return lease === 'silent' ? silent : { ok: true, value: lease === 'free' ? undefined : lease }
    },
    createLease: change('create'),
    replaceLease: change('replace'),
    deleteLease: async () => ({ ok: true, value: 'done' }),
  }
  return { changes, api: api as unknown as Kubernetes }
}

async function take(folder: string, lease: Parameters<typeof kubernetes>[0], keepsLease = true) {
  const { api, changes } = kubernetes(lease)
  const said: string[] = []
  const { signal } = new AbortController()
  const hold = await takeHold({
    folder,
    command: 'upgrade of cluster-7',
    kubernetes: api,
    keepsLease,
    durationMs: 60_000,
    signal,
    say: (text) => said.push(text),
  })
  if (hold.ok) await hold.value.release()
  return { hold, asked: changes, changes: changes.filter((change) => change !== 'look'), said: said.join() }
}

const lockOf = (folder: string, holder: Holder): void => writeFileSync(join(folder, 'lock.1'), JSON.stringify(holder))

const rows: [behaviour: string, lock: Holder | undefined, lease: Parameters<typeof kubernetes>[0]][] = [
  ['the holder of the lock file can not be judged, and nobody has the Lease', elsewhere, 'free'],
  ['the holder of the lock file can not be judged, and Kubernetes is silent', elsewhere, 'silent'],
  [
    'the holder of the lock file can not be judged, and another has the Lease',
    elsewhere,
    leaseOf({ ...elsewhere, pid: 2 }),
  ],
  ['the holder of the lock file is alive', us, 'free'],
]

for (const [behaviour, lock, lease] of rows)
  test(`is not taken, and nothing is touched, where ${behaviour}`, async ({ folder }) => {
    if (lock) lockOf(folder, lock)
    const { hold, changes } = await take(folder, lease)
    assert.is(hold.ok ? 'held' : hold.failure.reason, 'locked')
    assert.equal([readdirSync(folder), changes], [['lock.1'], []])
    assert.equal(JSON.parse(readFileSync(join(folder, 'lock.1'), 'utf8')), lock)
  })

test('passes on where the Lease of the very holder of the lock file stands still', async ({ folder }) => {
  lockOf(folder, elsewhere)
  const { hold, changes, said } = await take(folder, leaseOf(elsewhere))
  assert.ok(hold.ok, JSON.stringify(hold))
  assert.equal(changes, ['replace'])
  assert.match(said, 'watching whether it is still renewed')
  assert.match(said, 'took over the stale lock of upgrade of cluster-7 (pid 1 of')
})

test('is the lock alone where Kubernetes is silent, which is said', async ({ folder }) => {
  const { hold, said } = await take(folder, 'silent')
  assert.ok(hold.ok)
  assert.match(said, 'only the lock of this folder keeps others away')
})

test('is not taken where no Lease may be kept: the Role that is missing is there to apply', async ({ folder }) => {
  const { hold, said } = await take(folder, 'forbidden')
  const { reason, detail = '', hint, manifest } = hold.ok ? failure('bug') : hold.failure
  assert.equal([reason, manifest, said], ['kubernetes-forbidden', 'kind: Role', ''])
  assert.match(detail, /^no Lease can be kept in kube-system, .*: the kubeconfig's user ci may not get leases/)
  assert.match(hint ?? '', 'or access.lease: skip in operations.yaml')
  assert.ok(JSON.parse(readFileSync(join(folder, 'lock.1'), 'utf8')).released, 'the lock file is given back')
})

test('is the lock alone where the person chose so: nobody is asked, and it is said', async ({ folder }) => {
  const { hold, asked, said } = await take(folder, 'forbidden', false)
  assert.ok(hold.ok && !hold.value.holdsLease())
  assert.equal(asked, [])
  assert.match(said, 'only the lock of this folder keeps others away, since access.lease of operations.yaml says so')
})

test('is not taken over from whom nobody can judge where there is no Lease to tell', async ({ folder }) => {
  lockOf(folder, elsewhere)
  const { hold } = await take(folder, 'free', false)
  assert.is(hold.ok ? 'held' : hold.failure.reason, 'locked')
})

test('that could not be read once is lost for good: what was cut off then is not begun again', async ({ folder }) => {
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    const hold = await takeHold({
      folder,
      command: 'upgrade of cluster-7',
      kubernetes: kubernetes('free').api,
      keepsLease: false,
      durationMs: 60_000,
      signal: new AbortController().signal,
      say: () => {},
    })
    assert.ok(hold.ok)
    const { loses, fence, confirm, release } = hold.value
    const [away, back] = [`${folder}-away`, folder]
    renameSync(back, away)
    mock.timers.tick(5_000)
    renameSync(away, back)
    assert.ok(loses.aborted)
    assert.is(fence()?.reason, 'lock-lost')
    assert.is((await confirm(new AbortController().signal, { anew: true }))?.reason, 'lock-lost')
    await release()
  } finally {
    mock.timers.reset()
  }
})

test('that was given back is held no more from that moment on, whatever still goes on', async ({ folder }) => {
  const hold = await takeHold({
    ...{ folder, command: 'upgrade', keepsLease: false, durationMs: 1_000, say: () => {} },
    ...{ kubernetes: {} as Kubernetes, signal: new AbortController().signal },
  })
  assert.ok(hold.ok)
  const { release, fence, confirm, loses } = hold.value
  assert.is(fence(), undefined)
  const released = release()
  assert.equal([fence()?.reason, loses.aborted], ['lock-lost', true])
  assert.is((await confirm(new AbortController().signal, { anew: true }))?.reason, 'lock-lost')
  await released
})

test.run()
