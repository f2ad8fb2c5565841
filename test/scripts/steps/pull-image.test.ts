import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pullImage } from '../../../scripts/steps/pull-image.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { exitCodeOf } from '../../../workflows/plan/exit-code-of.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const denied = failure('image-refused', { node: 'a', detail: 'verification denied by matched rule (0002)' })
const refusing =
  (why: Failure): Row['answers'] =>
  () => ({ talos: { pull: async () => ({ ok: false, failure: why }) } })
const asks = ['pull a factory.talos.dev/metal-installer/s:v1.13.9']

const rows: Omit<Row, 'asks'>[] = [
  { title: 'pulls the installer; what is there already costs nothing', ends: 'done' },
  {
    title: 'hands on why an image could not be pulled',
    answers: refusing(failure('image-pull-failed', { detail: 'not found' })),
    ends: 'image-pull-failed: not found',
  },
  {
    title: 'hands on that a rule of the node refuses it',
    answers: refusing(denied),
    ends: 'image-refused: verification denied by matched rule (0002)',
  },
  { title: 'is cut off in the middle', abortedIn: 'pull', ends: 'cut off' },
]

for (const { title, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a'], pullImage, inputOf(), given), { asks, ends })
  })

test('an image that a rule of the node refuses is refused with where the rules are', async () => {
  let ended: Result<void> | undefined
  await carriedOut(
    ['a'],
    (world) => async (input: Parameters<ReturnType<typeof pullImage>>[0], context) => {
      ended = await pullImage(world)(input, context)
      return ended
    },
    inputOf(),
    { answers: refusing(denied) },
  )
  assert.equal(ended, { ok: false, failure: { ...denied, hint: 'talosctl -n a get imageverificationrules -o yaml' } })
  assert.is(exitCodeOf([denied]), 77)
})

const unsigned = failure('image-refused', { node: 'a', detail: 'image verification failed: no valid signature found' })

for (const [title, patterns, by] of [
  ['the rule is looked up', { ok: true, value: ['docker.io/*', '*'] as string[] }, 'by rule 0001, for *'],
  ['that no rule fits is said', { ok: true, value: [] as string[] }, 'by which rule the node does not tell'],
  [
    'that the rules can not be read is said',
    { ok: false, failure: failure('node-unreachable') },
    'by which rule the node does not tell',
  ],
] as const)
  test(`of an image without a signature Talos names no rule: ${title}`, async () => {
    const answers: Row['answers'] = () => ({
      talos: { pull: async () => ({ ok: false, failure: unsigned }), verificationPatterns: async () => patterns },
    })
    const { ends } = await carriedOut(['a'], pullImage, inputOf(), { answers })
    assert.is(ends, `image-refused: ${unsigned.detail}: ${by}`)
    assert.is(exitCodeOf([unsigned]), 77)
  })

test.run()
