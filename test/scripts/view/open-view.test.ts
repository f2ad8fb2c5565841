import { PassThrough } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ViewKind } from '../../../scripts/view/choose.ts'
import { openView } from '../../../scripts/view/open-view.ts'
import { aRun } from './a-run.ts'

/** Runs a view to its end on two pipes, and tells what arrived on each. */
async function show(kind: ViewKind): Promise<{ stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const asTerminal = (stream: PassThrough) => stream as unknown as NodeJS.WriteStream
  const view = await openView(kind, {
    stdout: asTerminal(stdout),
    stderr: asTerminal(stderr),
    env: {},
    now: () => new Date(),
  })
  for (const event of aRun) view.handle(event)
  await view.close()
  return { stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') }
}

test('keeps progress on stderr and the summary on stdout', async () => {
  for (const kind of ['plain', 'listr'] as const) {
    const { stdout, stderr } = await show(kind)
    assert.match(stdout, /^✔ {2}cp-1 {2}upgraded/)
    assert.match(stdout, /\nNext: node --import tsx workflows\/upgrade\.ts --cluster 7\n$/)
    assert.match(stderr, /cp-2/)
    assert.not.match(stderr, /Next:/)
  }
})

test('puts nothing but events on stdout with json', async () => {
  const { stdout, stderr } = await show('json')
  assert.is(stderr, '')
  assert.equal(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type),
    aRun.map(({ type }) => type),
  )
})

test('puts nothing on stdout with quiet', async () => {
  const { stdout, stderr } = await show('quiet')
  assert.is(stdout, '')
  assert.match(stderr, /Next:/)
})

test('goes on when nobody reads any more', async () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const asTerminal = (stream: PassThrough) => stream as unknown as NodeJS.WriteStream
  const outlet = { stdout: asTerminal(stdout), stderr: asTerminal(stderr), env: {}, now: () => new Date() }
  const view = await openView('json', outlet)
  stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  for (const event of aRun) view.handle(event)
  await view.close()
  // an error event without a listener would have ended the process by now
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(stdout.destroyed)
})

test.run()
