import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Status } from '../../../scripts/cluster/talos.ts'
import { checkEtcd } from '../../../scripts/steps/check-etcd.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { EtcdMember } from '../../../workflows/model/observation.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const LOOK = ['stages a,b,c,d', 'observeEtcd a,b,c,d']

/** Another control plane has that stage, at its first look; afterwards the one that follows. */
const stageOfB =
  (...looks: (Partial<Status> | Failure)[]): Row['answers'] =>
  ({ talos }) => ({
    talos: {
      async stages(nodes, options) {
        const [now = {}] = looks.length > 1 ? looks.splice(0, 1) : looks
        const well: Status = { stage: 'running', ready: true, unmet: [] }
        const b: Result<Status> =
          'reason' in now ? { ok: false, failure: now } : { ok: true, value: { ...well, ...now } }
        return { ...(await talos.stages(nodes, options)), b }
      },
    },
  })

/** A machine that waits for its configuration, with or without a member of its earlier life. */
const waitsInMaintenance =
  (member: 'listed' | 'unlisted'): Row['answers'] =>
  (ports, fake) => ({
    talos: {
      ...stageOfB(failure('node-in-maintenance'))?.(ports, fake).talos,
      async observeEtcd(nodes, options) {
        const etcd = await ports.talos.observeEtcd(nodes, options)
        const members = etcd.members.map((one) => (one.node === 'b' ? { ...one, answers: false } : one))
        return { ...etcd, members: member === 'listed' ? members : members.filter(({ node }) => node !== 'b') }
      },
    },
  })

const rows: Row[] = [
  { title: 'lets a control plane go when all others are well', asks: LOOK, ends: 'done {"leads":false}' },
  {
    title: 'says that it leads',
    when: ({ lead }) => lead('a'),
    asks: LOOK,
    ends: 'done {"leads":true}',
  },
  {
    title: 'does not mind that the node itself is lost',
    when: ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { lost: true }),
    asks: LOOK,
    ends: 'done {"leads":false}',
  },
  {
    title: 'has nobody hand over what does not answer any more, although the others still take it for the leader',
    when(fake) {
      fake.lead('a')
      Object.assign(fake.nodes.get('a') ?? {}, { lost: true })
    },
    asks: LOOK,
    ends: 'done {"leads":false}',
  },
  {
    title: 'waits for a control plane that just returned',
    answers: stageOfB({ stage: 'booting', ready: false }, {}),
    asks: [...LOOK, ...LOOK],
    ends: 'done {"leads":false}',
  },
  {
    title: 'refuses while another control plane can not be asked',
    answers: stageOfB(failure('node-unreachable', { detail: 'no answer' })),
    deadlineMs: 0,
    asks: LOOK,
    ends: 'control-plane-unreachable: b: no answer',
  },
  {
    title: 'refuses while another control plane is not ready',
    answers: stageOfB({ ready: false, unmet: ['services: kubelet'] }),
    deadlineMs: 0,
    asks: LOOK,
    ends: 'control-plane-not-ready: b: services: kubelet',
  },
  {
    title: 'counts no machine that waits for its configuration',
    answers: waitsInMaintenance('unlisted'),
    asks: LOOK,
    ends: 'done {"leads":false}',
  },
  {
    title: 'has nobody hand over where all others wait for their configuration',
    when: ({ lead }) => lead('a'),
    answers: ({ talos }) => ({
      talos: {
        stages: async () =>
          Object.fromEntries(
            ['b', 'c', 'd'].map((node) => [node, { ok: false, failure: failure('node-in-maintenance') }]),
          ),
        async observeEtcd(nodes, options) {
          const etcd = await talos.observeEtcd(nodes, options)
          return { ...etcd, members: etcd.members.filter(({ node }) => node === 'a') }
        },
      },
    }),
    world: { acceptEtcdOutage: true },
    asks: LOOK,
    ends: 'done {"leads":false}',
  },
  {
    title: 'counts its member while one is listed',
    answers: waitsInMaintenance('listed'),
    deadlineMs: 0,
    asks: LOOK,
    ends: 'etcd-member-unhealthy: b: its etcd member does not answer (and etcd-quorum)',
  },
  {
    title: 'says of a control plane that it has not joined yet',
    answers: ({ talos }) => ({
      talos: {
        async observeEtcd(nodes, options) {
          const etcd = await talos.observeEtcd(nodes, options)
          const unjoined = ({ id: _, ...one }: EtcdMember): EtcdMember => ({ ...one, answers: false, started: false })
          return { ...etcd, members: etcd.members.map((one) => (one.node === 'b' ? unjoined(one) : one)) }
        },
      },
    }),
    asks: LOOK,
    ends: 'etcd-not-joined: b: it has not joined etcd yet',
  },
  {
    title: 'refuses at once what does not pass by itself, and names the rest',
    when({ nodes }) {
      Object.assign(nodes.get('b') ?? {}, { alarm: true })
      Object.assign(nodes.get('c') ?? {}, { lost: true })
      Object.assign(nodes.get('d') ?? {}, { lost: true })
    },
    asks: LOOK,
    ends: 'etcd-member-unhealthy: c: its etcd member does not answer (and etcd-member-unhealthy, etcd-alarm, etcd-quorum)',
  },
  {
    title: 'waits no longer once it is told to end',
    when: ({ nodes }) => Object.assign(nodes.get('b') ?? {}, { lost: true }),
    abortedIn: 'observeEtcd',
    asks: LOOK,
    ends: 'cut off',
  },
]

for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b', 'c', 'd'], checkEtcd, inputOf(), given), { asks, ends })
  })

test.run()
