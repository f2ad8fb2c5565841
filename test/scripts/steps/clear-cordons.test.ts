import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { clearCordons } from '../../../scripts/steps/clear-cordons.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { carriedOut, type Row } from '../../support/step-world.ts'

const at = '2026-01-01T00:00:00Z'
const silent = { ok: false as const, failure: failure('kubernetes-unreachable', { detail: 'no answer' }) }

const rows: Row[] = [
  {
    title: 'lifts the cordon that a dead run left',
    when: ({ kubernetes }) => kubernetes.cordon('a', { run: 'dead', at }),
    asks: ['node a', 'uncordon a', 'node b'],
    ends: 'done',
  },
  { title: 'does nothing where no cordon is left', asks: ['node a', 'node b'], ends: 'done' },
  {
    title: 'leaves the cordon of a person, and that of another run',
    when({ kubernetes }) {
      kubernetes.cordon('a')
      kubernetes.cordon('b', { run: 'another', at })
    },
    asks: ['node a', 'node b'],
    ends: 'done',
  },
  {
    title: 'stops at a node that can not be read, and says that it stays cordoned',
    answers: () => ({ kubernetes: { node: async () => silent } }),
    deadlineMs: 0,
    asks: ['node a'],
    ends: 'left-cordoned: it stays cordoned, since our cordon could not be lifted: no answer',
  },
  {
    title: 'lifts nothing more once it is told to end',
    when({ kubernetes }) {
      for (const name of ['a', 'b']) kubernetes.cordon(name, { run: 'dead', at })
    },
    abortedIn: 'uncordon',
    asks: ['node a', 'uncordon a'],
    ends: 'cut off',
  },
]

const cordons = ['a', 'b'].map((node) => ({ node, run: 'dead' }))
for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b'], clearCordons, () => ({ cordons }), given), { asks, ends })
  })

test.run()
