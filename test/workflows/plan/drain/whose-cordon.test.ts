import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { whoseCordon } from '../../../../workflows/plan/drain/whose-cordon.ts'

const mark = { run: 'r', at: 't' }
const us = 'talos-workflows'

type Row = { title: string; cordoned?: false; marked?: false; owners: string[]; is: string }

const rows: Row[] = [
  { title: 'what we set is ours', owners: [us], is: 'ours' },
  {
    title: 'what a person set after `kubectl uncordon` had left our mark is not',
    owners: ['kubectl'],
    is: 'foreign-cordon',
  },
  { title: 'what somebody else wants, too, is not ours to lift', owners: [us, 'gitops'], is: 'foreign-cordon' },
  { title: "what nobody is known to have set may be anybody's", owners: [], is: 'unknown-cordon' },
  {
    title: 'what somebody set whom the API server forgot may be, too',
    owners: ['ancient-changes'],
    is: 'unknown-cordon',
  },
  { title: 'a mark without a cordon outlived it', cordoned: false, owners: [], is: 'no-cordon' },
  {
    title: 'a mark whose cordon was lifted by being set to false did, too',
    cordoned: false,
    owners: ['kubectl'],
    is: 'no-cordon',
  },
  { title: 'without a mark nothing is ours', marked: false, owners: [us], is: 'nothing' },
]

for (const { title, cordoned = true, marked = true, owners, is } of rows)
  test(title, () => {
    const whose = whoseCordon({ unschedulable: cordoned, mark: marked ? mark : undefined, owners })
    const expected = is === 'ours' ? { mark } : is === 'nothing' ? {} : { staleMark: { ...mark, beside: is } }
    assert.equal(whose, expected)
  })

test.run()
