import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubernetes } from '../../scripts/kubernetes.ts'
import type { Command, CommandResult } from '../../scripts/run.ts'
import { kubeNode } from '../support/kubernetes-facts.ts'

const refused = 'The connection to the server x was refused - did you specify the right host or port?'

type Answer = Partial<CommandResult>

/** Kubernetes whose API servers answer as `answers` says, by address; the one of the kubeconfig is `own`. */
function scripted(answers: Record<string, Answer>) {
  const asked: string[] = []
  const commands: Command[] = []
  const configs: boolean[] = []
  const servers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ address, url: `https://${address}:6443` }))
  const kubernetes = createKubernetes(
    async (command) => {
      const url = command.argv.find((word) => word.startsWith('--server='))
      const server = url === undefined ? 'own' : new URL(url.slice('--server='.length)).hostname
      asked.push(server)
      commands.push(command)
      return { exitCode: 0, stdout: '', stderr: '', timedOut: false, aborted: false, ...answers[server] }
    },
    {
      kubeconfig: async ({ refused: again }) => {
        configs.push(again)
        return { ok: true, value: '/k' }
      },
      servers,
      cacheDir: '/c',
    },
  )
  return { kubernetes, asked, commands, configs }
}

const options = { timeoutMs: 10_000 }
const down: Answer = { exitCode: 1, stderr: refused }

test('asks the next API server when one can not be reached, and remembers which one answered', async () => {
  const { kubernetes, asked } = scripted({ '10.0.0.1': down })
  assert.equal(await kubernetes.node('a', options), { ok: true, value: undefined })
  await kubernetes.node('a', options)
  assert.equal(asked, ['10.0.0.1', '10.0.0.2', '10.0.0.2'])
})

test('asks the API server of a node that goes down last, after that of the kubeconfig', async () => {
  const { kubernetes, asked } = scripted({ '10.0.0.2': down, '10.0.0.3': down, own: down })
  await kubernetes.node('a', { ...options, avoid: '10.0.0.1' })
  assert.equal(asked, ['10.0.0.2', '10.0.0.3', 'own', '10.0.0.1'])
})

test('does not repeat at another server what one has answered', async () => {
  const forbidden = { exitCode: 1, stderr: 'Error from server (Forbidden): no' }
  const { kubernetes, asked } = scripted({ '10.0.0.1': forbidden })
  const answer = await kubernetes.node('a', options)
  assert.is(answer.ok ? '' : answer.failure.reason, 'permission-denied')
  assert.equal(asked, ['10.0.0.1'])
})

test('gets a new kubeconfig once when the one it has is refused', async () => {
  const unauthorized = { exitCode: 1, stderr: 'error: You must be logged in to the server (Unauthorized)' }
  const { kubernetes, configs } = scripted({ '10.0.0.1': unauthorized })
  const answer = await kubernetes.node('a', options)
  assert.is(answer.ok ? '' : answer.failure.reason, 'kubeconfig-unusable')
  assert.equal(configs, [false, true])
})

test('cordons and uncordons by one patch that carries the version it has read', async () => {
  const conflict = { exitCode: 1, stderr: 'Error from server (Conflict): Operation cannot be fulfilled on nodes "a"' }
  const { kubernetes, commands } = scripted({})
  const node = kubeNode('a', '10.0.0.9', { resourceVersion: '41' })
  const mark = { run: 'r', at: 't' }
  assert.equal(await kubernetes.cordon(node, mark, options), { ok: true, value: 'done' })
  assert.equal(await kubernetes.uncordon(node, options), { ok: true, value: 'done' })
  const patches = commands.map(({ argv }) => JSON.parse(argv.at(-1)?.slice('--patch='.length) ?? ''))
  const annotation = 'talos-workflows/cordon'
  assert.equal(patches, [
    {
      metadata: { resourceVersion: '41', annotations: { [annotation]: JSON.stringify(mark) } },
      spec: { unschedulable: true },
    },
    { metadata: { resourceVersion: '41', annotations: { [annotation]: null } }, spec: { unschedulable: null } },
  ])
  assert.ok(commands.every(({ mutates, argv }) => mutates && argv.includes('--field-manager=talos-workflows')))
  const other = scripted({ '10.0.0.1': conflict }).kubernetes
  assert.equal(await other.cordon(node, mark, options), { ok: true, value: 'conflict' })
})

test('notes an installation on the Node by a patch that touches nothing else, and says why it could not', async () => {
  const { kubernetes, commands } = scripted({})
  const mark = { bootId: 'b', image: 'x:v1', run: 'r' }
  assert.equal(await kubernetes.noteInstall('a', mark, options), { ok: true, value: undefined })
  const [command] = commands
  assert.equal(JSON.parse(command?.argv.at(-1)?.slice('--patch='.length) ?? ''), {
    metadata: { annotations: { 'talos-workflows/install': JSON.stringify(mark) } },
  })
  assert.ok(command?.mutates && command.argv.includes('a'))
  const forbidden = { exitCode: 1, stderr: 'Error from server (Forbidden): nodes "a" is forbidden: cannot patch' }
  const noted = await scripted({ '10.0.0.1': forbidden }).kubernetes.noteInstall('a', mark, options)
  assert.is(noted.ok ? '' : noted.failure.reason, 'permission-denied')
})

test('takes the judgement of the API server on an eviction for an answer, and its silence for none', async () => {
  const judged = async (answer: Answer) =>
    scripted({ '10.0.0.1': answer }).kubernetes.tryEviction({ namespace: 'shop', name: 'web-1' }, options)
  const tooMany =
    "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget."
  const two =
    'Error from server (InternalError): This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
  assert.equal(await judged({}), { ok: true, value: { allowed: true, detail: '' } })
  assert.equal(await judged({ exitCode: 1, stderr: tooMany }), {
    ok: true,
    value: { allowed: false, detail: "Cannot evict pod as it would violate the pod's disruption budget." },
  })
  const both = await judged({ exitCode: 1, stderr: two })
  assert.is(both.ok && both.value.allowed, false)
  assert.not((await judged({ exitCode: 1, stderr: 'Error from server (Forbidden): no' })).ok)
})

test('tells a gate that is not met from one that can not be evaluated', async () => {
  const gate = { name: 'g', resource: 'deployment/web', for: 'condition=Available', timeoutMs: 1_000 }
  const state = async (answer: Answer) => {
    const tried = await scripted({ '10.0.0.1': answer }).kubernetes.tryGate(gate, options)
    return tried.ok ? tried.value.state : tried.failure.reason
  }
  assert.is(await state({ stdout: 'deployment.apps/web condition met' }), 'met')
  assert.is(await state({ exitCode: 1, stderr: 'error: condition not met for deployments/web' }), 'unmet')
  assert.is(await state({ exitCode: 1, stderr: `error: the server doesn't have a resource type "webs"` }), 'wrong')
  assert.is(
    await state({ exitCode: 1, stderr: 'Error from server (NotFound): deployments.apps "web" not found' }),
    'wrong',
  )
})

test('tells who blocks a drain while it goes on', async () => {
  const said: string[] = []
  const lines = [
    'evicting pod shop/web-1',
    `error when evicting pods/"web-1" -n "shop" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.`,
  ]
  const kubernetes = createKubernetes(
    async (_, more) => {
      for (const line of lines) more?.onErrorLine?.(line)
      return { exitCode: 1, stdout: '', stderr: 'error: global timeout reached: 9s', timedOut: false, aborted: false }
    },
    { kubeconfig: async () => ({ ok: true, value: '/k' }), servers: [], cacheDir: '/c' },
  )
  const policy = {
    ...{ enabled: true, timeoutMs: 9_000, detachMs: 1, force: false, disableEviction: false },
    ...({ liftedBudgets: [], whenBlocked: 'refuse', whenGivenUp: 'stop' } as const),
  }
  const drained = await kubernetes.drain(
    'a',
    { policy, timeoutMs: 9_000, say: (line) => said.push(line) },
    { timeoutMs: 9_000 },
  )
  assert.is(drained.ok ? '' : drained.failure.reason, 'drain-blocked')
  assert.equal(said, [`shop/web-1: Cannot evict pod as it would violate the pod's disruption budget.`])
})

test.run()
