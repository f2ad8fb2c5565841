import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { passGates } from '../../../scripts/steps/pass-gates.ts'
import { type FailureReason, failure } from '../../../workflows/model/failure.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const gate = (name: string, timeoutMs: number) => ({
  ...{ name, resource: 'pods', for: 'condition=Ready', timeoutMs },
})
const gates = (timeoutMs = 5_000) => ({ gates: [gate('storage', timeoutMs), gate('network', timeoutMs)] as never })

/** What is said of each gate, one after the other; then that it holds. */
const says =
  (...reasons: FailureReason[]): Row['answers'] =>
  ({ kubernetes }) => ({
    kubernetes: {
      async waitForGate(of, options) {
        const reason = reasons.shift()
        return reason === undefined
          ? kubernetes.waitForGate(of, options)
          : { ok: false, failure: failure(reason, { detail: 'no' }) }
      },
    },
  })

const rows: Row[] = [
  { title: 'asks nothing where no gate is declared', operations: { gates: [] }, asks: [], ends: 'done' },
  {
    title: 'waits for one gate after another',
    operations: gates(),
    asks: ['waitForGate storage', 'waitForGate network'],
    ends: 'done',
  },
  {
    title: 'asks again where the API server went away',
    operations: gates(),
    answers: says('kubernetes-unreachable'),
    asks: ['waitForGate storage', 'waitForGate storage', 'waitForGate network'],
    ends: 'done',
  },
  {
    title: 'says which gate is not met, and asks for no other',
    operations: gates(),
    answers: says('command-failed'),
    asks: ['waitForGate storage'],
    ends: 'gate-not-met: the gate "storage" is not met: no',
  },
  {
    title: 'gives up where Kubernetes stays silent',
    operations: gates(0),
    answers: says('kubernetes-unreachable'),
    asks: ['waitForGate storage'],
    ends: 'gate-not-met: the gate "storage" is not met: no',
  },
  {
    title: 'waits for no other gate once it is told to end',
    operations: gates(),
    abortedIn: 'waitForGate',
    asks: ['waitForGate storage'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b'], passGates, inputOf(), given), { asks, ends })
  })

test.run()
