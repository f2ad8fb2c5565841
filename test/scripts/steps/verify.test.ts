import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { verify } from '../../../scripts/steps/verify.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const booted =
  (version: string): Row['when'] =>
  ({ nodes }) =>
    Object.assign(nodes.get('a') ?? {}, { version, boots: 1 })
const cmdline =
  (now: string | undefined): Row['answers'] =>
  () => ({ talos: { kernelCmdline: async () => now } })
const FACTS =
  '"version":"v1.13.9","versionBefore":"v1.13.5","schematic":"s","bootId":"a-boot-1","bootIdBefore":"a-boot-0"'
const UPGRADED = `done {"verdict":"upgraded","evidence":{${FACTS},"stage":"running","ready":true}}`

const rows: (Row & { says?: string[] })[] = [
  {
    title: 'calls a node upgraded that runs the target in another boot',
    when: booted('v1.13.9'),
    asks: ['inspect a', 'kernelCmdline a'],
    ends: UPGRADED,
  },
  {
    title: 'says which kernel arguments are gone',
    when: booted('v1.13.9'),
    answers: cmdline('quiet'),
    says: ['its kernel runs without nomodeset, and with quiet, which it had not'],
    asks: ['inspect a', 'kernelCmdline a'],
    ends: UPGRADED,
  },
  {
    title: 'does not believe a node that has not booted',
    asks: ['inspect a', 'kernelCmdline a'],
    ends: 'reboot-failed: its boot id did not change',
  },
  {
    title: 'tells a fall back',
    when: booted('v1.13.5'),
    asks: ['inspect a', 'kernelCmdline a'],
    ends: 'rolled-back: runs v1.13.5 again, not v1.13.9',
  },
  {
    title: 'does not take another node for it that runs the target',
    when(fake) {
      booted('v1.13.9')?.(fake)
      fake.move({ a: 'b' })
    },
    asks: ['inspect a', 'kernelCmdline a'],
    ends: 'other-node-than-declared: its address answers as b does, with the same boot id',
  },
  {
    title: 'hands on why the node can not be read',
    answers: () => ({ talos: { inspect: async () => ({ ok: false, failure: failure('node-unreachable') }) } }),
    asks: ['inspect a', 'kernelCmdline a'],
    ends: 'node-unreachable',
  },
  {
    title: 'says nothing of a node when it is told to end',
    when: booted('v1.13.9'),
    abortedIn: 'inspect',
    asks: ['inspect a', 'kernelCmdline a'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, says = [], ...given } of rows)
  test(title, async () => {
    const notices: string[] = []
    const context = { notice: (text: string) => void notices.push(text) }
    const input = inputOf({ before: { kernelArguments: ['nomodeset'] } })
    assert.equal(await carriedOut(['a', 'b'], verify, input, { ...given, context }), { asks, ends })
    assert.equal(notices, says)
  })

test.run()
