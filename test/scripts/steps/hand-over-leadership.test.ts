import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { handOverLeadership } from '../../../scripts/steps/hand-over-leadership.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const leading: Row['when'] = ({ lead }) => lead('a')
const refused = { ok: false as const, failure: failure('handover-failed', { detail: 'no quorum' }) }
const MOVED = ['etcdStatus a', 'forfeitLeadership a', 'etcdStatus a']

const rows: Row[] = [
  { title: 'hands over, and looks whether it leads no more', when: leading, asks: MOVED, ends: 'done' },
  { title: 'does nothing where another member leads', asks: ['etcdStatus a'], ends: 'done' },
  {
    title: 'does not hand over where it may not begin',
    when: leading,
    keptBackAt: 1,
    asks: ['etcdStatus a'],
    ends: 'kept back',
  },
  {
    title: 'asks nothing of a member that does not answer',
    when(fake) {
      fake.lead('a')
      Object.assign(fake.nodes.get('a') ?? {}, { lost: true })
    },
    asks: ['etcdStatus a'],
    ends: 'done',
  },
  {
    title: 'believes etcd, not the exit code',
    when: leading,
    answers: ({ talos }) => ({
      talos: {
        async forfeitLeadership(node, options) {
          await talos.forfeitLeadership(node, options)
          return refused
        },
      },
    }),
    asks: MOVED,
    ends: 'done',
  },
  {
    title: 'says why the call failed, and does not wait for what will not come',
    when: leading,
    answers: () => ({ talos: { forfeitLeadership: async () => refused } }),
    asks: MOVED,
    ends: 'handover-failed: no quorum',
  },
  {
    title: 'fails where it leads still',
    when: leading,
    answers: () => ({ talos: { forfeitLeadership: async () => ({ ok: true, value: undefined }) } }),
    deadlineMs: 0,
    asks: MOVED,
    ends: 'handover-failed: it still leads',
  },
  {
    title: 'waits no longer once it is told to end',
    when: leading,
    abortedIn: 'forfeitLeadership',
    asks: ['etcdStatus a', 'forfeitLeadership a'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b', 'c'], handOverLeadership, inputOf(), given), { asks, ends })
  })

test.run()
