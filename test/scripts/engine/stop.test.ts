import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createStop, listenForSignals } from '../../../scripts/engine/stop.ts'

const test = suite('stop')

function atTimes() {
  let now = 1_000_000
  const stop = createStop(() => now)
  const state = () => [stop.by(), stop.requested.aborted, stop.forced.aborted]
  return { stop, state, pass: (ms: number) => (now += ms) }
}

test('wants nothing before it is asked', () => {
  assert.equal(atTimes().state(), [undefined, false, false])
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the first ${signal} starts nothing new and goes on waiting`, () => {
    const { stop, state } = atTimes()
    stop.request(signal)
    assert.equal(state(), [signal, true, false])
  })
}

test('one Ctrl-C that is delivered twice, or five times, counts once', () => {
  const { stop, state, pass } = atTimes()
  stop.request('SIGINT')
  for (const ms of [0, 3, 37, 400, 1_559]) {
    pass(ms)
    stop.request('SIGINT')
  }
  assert.equal(state(), ['SIGINT', true, false], '1999 ms after the first')
})

test('a second request after two seconds stops waiting', () => {
  const { stop, state, pass } = atTimes()
  stop.request('SIGINT')
  pass(2_000)
  stop.request('SIGINT')
  assert.equal(state(), ['SIGINT', true, true])
})

test('the exit code is that of the first signal, whatever comes second', () => {
  const { stop, state, pass } = atTimes()
  stop.request('SIGTERM')
  pass(5_000)
  stop.request('SIGINT')
  assert.equal(state(), ['SIGTERM', true, true])
})

test('signals of the process are requests until they are let go of', () => {
  const { stop, state } = atTimes()
  const before = [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]
  const letGo = listenForSignals(stop)
  process.emit('SIGTERM')
  assert.equal(state(), ['SIGTERM', true, false])
  letGo()
  assert.equal([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')], before)
})

test.run()
