import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { World } from '../../../scripts/cluster/world.ts'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import { install } from '../../../scripts/steps/install.ts'
import { createInstallMemory } from '../../../scripts/steps/install-memory.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { InstallMark } from '../../../workflows/model/kubernetes.ts'
import type { Configuration, Inspection, OtherSlot } from '../../../workflows/model/observation.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { switchOf } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode } from '../../support/kubernetes-facts.ts'
import { stepContext } from '../../support/step-context.ts'
import { carriedOut, inputOf, type Row as WorldRow } from '../../support/step-world.ts'
import { kubernetesPlan, nodePlan } from '../../support/upgrade-plan.ts'

const plan = nodePlan('a', 'worker', {
  kubernetes: kubernetesPlan({ name: 'a' }),
})
const { image } = switchOf(plan)
const quiet: OtherSlot = { state: 'quiet' }
const unread: OtherSlot = { state: 'unknown', why: 'unread' }
const wrapped: OtherSlot = { state: 'unknown', why: 'wrapped' }
const installing: OtherSlot = { state: 'installing', image }
const installed: OtherSlot = { state: 'installed', image }
const failed = (exitCode: number): OtherSlot => ({ state: 'install-failed', image, exitCode })
const silent = failure('node-unreachable')
const went: Partial<Inspection> = { bootId: 'another', otherSlot: quiet }

type Seen = OtherSlot | Failure | Partial<Inspection>

type Row = {
  title: string
  /** what is seen before the call, one look after the other; the last one lasts */
  before: readonly Seen[]
  after?: readonly Seen[]
  call?: Failure
  begunBefore?: true
  /** an earlier run began to install under the boot that runs */
  begun?: true
  /** another checkout did, as the Node tells */
  noted?: true
  configuration?: Result<Configuration>
  /** how many of its last looks it sleeps in: each of them is taken once more */
  sleeps?: number
  /** Kubernetes does not take the note */
  forbidden?: true
  expected: 'installed' | Failure['reason']
  installs: 0 | 1
}

const rows: readonly Row[] = [
  { title: 'installs', before: [quiet], after: [installed], expected: 'installed', installs: 1 },
  { title: 'does nothing when it waits already', before: [installed], expected: 'installed', installs: 0 },
  {
    title: 'believes the node, not the exit code',
    before: [quiet],
    after: [installed],
    call: failure('install-failed', { detail: 'lost' }),
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'waits for an installation that outlived its talosctl',
    before: [quiet],
    after: [installing, installing, installed],
    call: failure('install-failed', { detail: 'lost' }),
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'waits for one that a dead process left',
    before: [installing, installed],
    expected: 'installed',
    installs: 0,
  },
  // a log that can not be read
  {
    title: 'looks again at a log that was not read',
    before: [unread, quiet],
    after: [installed],
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not install where the log stays unreadable',
    before: [unread],
    expected: 'install-unknown',
    installs: 0,
  },
  {
    title: 'does not repeat what it may have begun',
    before: [unread],
    begunBefore: true,
    expected: 'install-unknown',
    installs: 0,
  },
  {
    title: 'looks again after the installation',
    before: [quiet],
    after: [unread, silent, installed],
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not call an unread end a failure of the installer',
    before: [quiet],
    after: [unread],
    expected: 'install-unseen',
    installs: 1,
  },
  {
    title: 'does not say of a silent node that nothing was changed',
    before: [quiet],
    after: [silent],
    expected: 'install-unseen',
    installs: 1,
  },
  {
    title: 'does not take a log that lost its beginning for a quiet one',
    before: [quiet],
    after: [wrapped],
    expected: 'install-unseen',
    installs: 1,
  },
  // a log that lost its beginning
  {
    title: 'installs where nobody of ours began',
    before: [wrapped],
    after: [installed],
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not install again under the boot of an earlier run',
    before: [wrapped],
    begun: true,
    expected: 'install-unknown',
    installs: 0,
  },
  {
    title: 'does not install again under the boot of another checkout',
    before: [wrapped],
    noted: true,
    expected: 'install-unknown',
    installs: 0,
  },
  {
    title: 'installs although its Node can not tell of it, and says so',
    before: [quiet],
    after: [installed],
    forbidden: true,
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not install while a configuration is staged',
    before: [quiet],
    configuration: { ok: true, value: { hash: 'h', pending: 'other-on-disk' } },
    expected: 'configuration-pending',
    installs: 0,
  },
  {
    title: 'installs where the role may not read the configuration',
    before: [quiet],
    after: [installed],
    configuration: { ok: false, failure: failure('permission-denied') },
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not install again what this run began',
    before: [wrapped],
    begunBefore: true,
    expected: 'install-unknown',
    installs: 0,
  },
  // between the first look and the call
  {
    title: 'does not install over what somebody installed meanwhile',
    before: [quiet, { state: 'installed', image: 'factory.talos.dev/metal-installer/s:v1.13.7' }],
    expected: 'other-version-waiting',
    installs: 0,
  },
  {
    title: 'does nothing when somebody installed the target meanwhile',
    before: [quiet, installed],
    expected: 'installed',
    installs: 0,
  },
  {
    title: 'does not install when the log became unreadable meanwhile',
    before: [quiet, unread],
    expected: 'install-unknown',
    installs: 0,
  },
  {
    title: 'takes a look during which it slept for none, and notes the installation once',
    before: [quiet, quiet, { state: 'installed', image: 'factory.talos.dev/metal-installer/s:v1.13.7' }],
    sleeps: 1,
    expected: 'other-version-waiting',
    installs: 0,
  },
  {
    title: 'does not install on a boot that it has not looked at',
    before: [quiet, went],
    expected: 'install-failed',
    installs: 0,
  },
  // the installer
  { title: 'tells a failure', before: [quiet], after: [failed(6)], expected: 'install-failed', installs: 1 },
  {
    title: 'tells a refusal for good',
    before: [quiet],
    after: [failed(2)],
    expected: 'installer-refused',
    installs: 1,
  },
  {
    title: 'tries again what may go well',
    before: [failed(6)],
    after: [installed],
    begunBefore: true,
    expected: 'installed',
    installs: 1,
  },
  {
    title: 'does not try again what was refused',
    before: [failed(3)],
    begunBefore: true,
    expected: 'installer-refused',
    installs: 0,
  },
  {
    title: 'tries once when a person asked',
    before: [failed(3)],
    after: [installed],
    expected: 'installed',
    installs: 1,
  },
  { title: 'tells that the node went down', before: [quiet], after: [went], expected: 'install-failed', installs: 1 },
  {
    title: 'installs what a power cut kept from ending',
    before: [went],
    after: [{ ...went, otherSlot: installed }],
    begunBefore: true,
    expected: 'installed',
    installs: 1,
  },
]

const isFailure = (seen: Seen): seen is Failure => 'reason' in seen
const factsOf = (seen: OtherSlot | Partial<Inspection>): Inspection => ({
  version: 'v1.13.5',
  bootId: 'boot',
  stage: 'running',
  ready: true,
  unmet: [],
  schematic: 's',
  extensions: [],
  ...('state' in seen ? { otherSlot: seen } : { otherSlot: quiet, ...seen }),
})

for (const {
  title,
  before,
  after = [],
  call,
  begunBefore = false,
  begun,
  noted,
  forbidden,
  sleeps = 0,
  configuration = { ok: true, value: { hash: 'h', pending: 'nothing' } },
  expected,
  installs,
} of rows)
  test(title, async () => {
    let looks = [...before]
    let calls = 0
    const records: JournalRecord[] = []
    const marks: InstallMark[] = []
    const notices: string[] = []
    const memory = recollect(
      [{ run: 'r', records: [{ type: 'run' }, ...(begun ? [{ type: 'installing', node: 'a', bootId: 'boot' }] : [])] }],
      '',
    )
    const world = {
      cluster: {
        nodes: [{ name: 'a', address: '127.0.0.1', role: 'worker' }],
        operations: {
          ...defaultOperations,
          deadlines: { ...defaultOperations.deadlines, observeMs: 20, installMs: 5_000 },
        },
      },
      plans: [],
      installs: createInstallMemory(memory, { append: (record) => void records.push(record) }),
      run: 'r',
      kubernetes: {
        node: async () => ({
          ok: true,
          value: kubeNode('a', '', noted ? { install: { bootId: 'boot', image, run: '' } } : {}),
        }),
        noteInstall: async (_, mark) => {
          if (forbidden) return { ok: false, failure: failure('permission-denied', { detail: 'no' }) }
          marks.push(mark)
          return { ok: true, value: undefined }
        },
      } satisfies Pick<Kubernetes, 'node' | 'noteInstall'>,
      talos: {
        configurations: async () => ({ a: configuration }),
        observeNodes: async () => ({}),
        inspect: async () => {
          const [seen = quiet] = looks
          if (looks.length > 1) looks.shift()
          return isFailure(seen) ? { ok: false, failure: seen } : { ok: true, value: factsOf(seen) }
        },
        install: async () => {
          calls += 1
          // what was written down before outlives this process
          const record = records.at(-1)
          assert.is(record?.type, 'installing')
          if (record?.type === 'installing') assert.is(record.configuration, configuration.ok ? 'h' : undefined)
          assert.is(marks.length, forbidden ? 0 : 1)
          looks = [...after]
          return call ? { ok: false, failure: call } : { ok: true, value: undefined }
        },
      },
    } as unknown as World
    const mayBegin = async <Seen>(lastLook: () => Promise<Seen>): Promise<Seen> => {
      for (let slept = 0; slept < sleeps; slept++) await lastLook()
      return lastLook()
    }
    const notice = (text: string) => void notices.push(text)
    const result = await install(world)(
      { plan, install: 'no', flipped: false },
      stepContext({ begunBefore, notice, mayBegin }),
    )
    assert.is(result.ok ? 'installed' : result.failure.reason, expected)
    assert.is(calls, installs)
    assert.ok(records.length <= 1 && marks.length <= 1, 'noted more than once')
    assert.is(!result.ok && result.failure.unasked === true, !result.ok && installs === 0 && !begunBefore)
    assert.is(notices.length, forbidden ? 1 : 0)
  })

test('does not begin what can not be written down', async () => {
  const world = {
    cluster: { nodes: [{ name: 'a', address: '127.0.0.1', role: 'worker' }], operations: defaultOperations },
    plans: [],
    installs: createInstallMemory(recollect([], ''), {
      append() {
        throw new Error('ENOSPC')
      },
    }),
    talos: {
      observeNodes: async () => ({}),
      inspect: async () => ({ ok: true, value: factsOf(quiet) }),
      configurations: async () => ({ a: { ok: true, value: { hash: 'h', pending: 'nothing' } } }),
    },
  } as unknown as World
  const result = await install(world)({ plan, install: 'no', flipped: false }, stepContext())
  assert.is(result.ok ? '' : result.failure.reason, 'journal-unwritable')
})

const INSTALL = `install a ${image}`
const BEFORE = ['inspect a', 'configurations a', 'noteInstall a', 'inspect a']
const inWorld: WorldRow[] = [
  {
    title: 'looks, notes it where others can read it, looks again, installs, and looks what became of it',
    asks: [...BEFORE, INSTALL, 'inspect a'],
    ends: `done {"image":"${image}"}`,
  },
  {
    title: 'asks nothing more of a node in which the target waits',
    when: ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { waiting: image }),
    asks: ['inspect a'],
    ends: `done {"image":"${image}"}`,
  },
  {
    title: 'installs nothing on a node that can not be read',
    answers: () => ({ talos: { inspect: async () => ({ ok: false, failure: silent }) } }),
    asks: ['inspect a'],
    ends: 'node-unreachable',
  },
  {
    title: 'does not install what it may not begin after its last look',
    keptBackAt: 1,
    asks: BEFORE,
    ends: 'kept back',
  },
  { title: 'begins nothing once it is told to end', abortedIn: 'inspect', asks: ['inspect a'], ends: 'cut off' },
  {
    title: 'waits no longer for an installation that goes on by itself once it is told to end',
    abortedIn: 'install',
    asks: [...BEFORE, INSTALL],
    ends: 'cut off',
  },
]
for (const { title, asks, ends, ...given } of inWorld)
  test(title, async () => {
    const input = inputOf({}, { install: 'begun', flipped: false })
    assert.equal(await carriedOut(['a', 'b'], install, input, given), { asks, ends })
  })

test.run()
