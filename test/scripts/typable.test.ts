import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { typable } from '../../scripts/typable.ts'
import { failure } from '../../workflows/model/failure.ts'
import { fakeCluster } from '../support/fake-cluster.ts'

const { cluster } = fakeCluster(['a', 'b'])
const [a, b] = cluster.nodes.map(({ address }) => address)
const far = '/far/talosconfig'
const typed = (hint: string, talosconfig = far) => typable(cluster, talosconfig).failure(failure('bug', { hint })).hint

test('A command gets the talosconfig and the address of its node', () => {
  assert.is(typed('talosctl -n b dmesg # then try'), `talosctl --talosconfig ${far} -n ${b} dmesg # then try`)
})

test('A command about the cluster asks a control plane', () => {
  assert.is(typed('talosctl etcd alarm list'), `talosctl --talosconfig ${far} -n ${a} etcd alarm list`)
})

test('A talosconfig below the folder that one stands in is named from there', () => {
  assert.is(
    typed('talosctl -n a reboot', join(process.cwd(), 'x/talosconfig')),
    `talosctl --talosconfig x/talosconfig -n ${a} reboot`,
  )
})

test('Words, and commands that are complete, stay as they are', () => {
  for (const text of ['find out why', `talosctl --talosconfig ${far} config endpoint`]) assert.is(typed(text), text)
})

test('Every event that carries a failure or a next command is completed', () => {
  const { event } = typable(cluster, far)
  const wrong = failure('bug', { hint: 'talosctl -n a services' })
  const texts = [
    event({ type: 'step.failed', step: 'x', title: 'X', tookMs: 1, failure: wrong }),
    event({ type: 'verdict', node: 'a', verdict: 'stuck', evidence: {}, failure: wrong }),
    event({
      type: 'run.finished',
      run: 'r',
      exitCode: 1,
      verdicts: {},
      failures: [wrong],
      tookMs: 1,
      next: 'talosctl -n a services',
    }),
  ].map((said) => JSON.stringify(said))
  for (const text of texts) {
    assert.match(text, `-n ${a} services`)
    assert.not.match(text, '"talosctl -n')
  }
})

test.run()
