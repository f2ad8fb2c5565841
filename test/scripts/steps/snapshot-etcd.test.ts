import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { snapshotEtcd } from '../../../scripts/steps/snapshot-etcd.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { carriedOut, type Row } from '../../support/step-world.ts'

const root = mkdtempSync(join(tmpdir(), 'snapshot-etcd-'))
const snapshots = join(root, '.run', 'snapshots')
const file = join(snapshots, 'r.db')
const DONE = `done ${JSON.stringify({ path: file, info: 'hash 1' })}`

/** The real one writes the file; what it can not write over is refused. */
const writes: Row['answers'] = ({ talos }) => ({
  talos: {
    async snapshot(node, path, options) {
      if (existsSync(path)) return { ok: false, failure: failure('snapshot-failed', { detail: 'is there already' }) }
      writeFileSync(path, 'taken')
      return talos.snapshot(node, path, options)
    },
  },
})

/** `before` and `after` are the files of the folder. */
const rows: (Row & { before?: string[]; after: string[] })[] = [
  { title: 'saves a snapshot', answers: writes, asks: [`snapshot a ${file}`], ends: DONE, after: ['r.db'] },
  {
    title: 'lets go of the oldest ones',
    answers: writes,
    before: ['o.db', 'p.db', 'q.db'],
    asks: [`snapshot a ${file}`],
    ends: DONE,
    after: ['p.db', 'q.db', 'r.db'],
  },
  {
    title: 'lets go of those first whose runs took no node down',
    answers: writes,
    before: ['l.db', 'm.db', 'n.db', 'o.db'],
    world: { tookNoneDown: new Set(['m', 'o']) },
    asks: [`snapshot a ${file}`],
    ends: DONE,
    after: ['l.db', 'n.db', 'r.db'],
  },
  {
    title: 'takes no snapshot for whole that a killed run left half written',
    answers: writes,
    before: ['r.db', 'r.db.part'],
    asks: [`snapshot a ${file}`],
    ends: DONE,
    after: ['r.db'],
  },
  {
    title: 'lets go of none where none could be taken',
    answers: () => ({
      talos: { snapshot: async () => ({ ok: false, failure: failure('snapshot-failed', { detail: 'no space' }) }) },
    }),
    before: ['n.db', 'o.db', 'p.db', 'q.db'],
    asks: [`snapshot a ${file}`],
    ends: 'snapshot-failed: no space',
    after: ['n.db', 'o.db', 'p.db', 'q.db'],
  },
  {
    title: 'lets go of none once it is told to end',
    before: ['n.db', 'o.db', 'p.db', 'q.db'],
    abortedIn: 'snapshot',
    asks: [`snapshot a ${file}`],
    ends: 'cut off',
    after: ['n.db', 'o.db', 'p.db', 'q.db'],
  },
]

for (const { title, asks, ends, before = [], after, ...given } of rows)
  test(title, async () => {
    rmSync(snapshots, { recursive: true, force: true })
    mkdirSync(snapshots, { recursive: true })
    for (const name of before) writeFileSync(join(snapshots, name), '')
    const found = await carriedOut(['a'], snapshotEtcd, () => ({ node: 'a' }), {
      ...given,
      world: { ...given.world, snapshots },
    })
    const left = readdirSync(snapshots).filter((name) => name !== '.gitignore')
    assert.equal({ ...found, left }, { asks, ends, left: after })
  })

test.after(() => rmSync(root, { recursive: true }))

test.run()
