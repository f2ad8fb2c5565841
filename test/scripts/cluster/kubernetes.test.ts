import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { Command } from '../../../scripts/run.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { type Answered, commandResult } from '../../support/command-result.ts'
import { kubeNode } from '../../support/kubernetes-facts.ts'

const refused = 'The connection to the server x was refused - did you specify the right host or port?'

/** Kubernetes whose API servers answer as `answers` says, by address; the one of the kubeconfig is `own`, and `given`. */
function scripted(answers: Record<string, Answered>, { shut = [] as string[], given = false } = {}) {
  const asked: string[] = []
  const commands: Command[] = []
  const configs: boolean[] = []
  const servers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ address, url: `https://${address}:6443` }))
  const kubernetes = createKubernetes(
    async (command, { onLine, signal } = {}) => {
      const url = command.argv.find((word) => word.startsWith('--server='))
      const server = url === undefined ? 'own' : new URL(url.slice('--server='.length)).hostname
      if (signal?.aborted) return commandResult({ ended: { by: 'abort' } })
      asked.push(server)
      commands.push(command)
      for (const line of answers[server]?.stdout?.split('\n') ?? []) onLine?.(line)
      return commandResult(answers[server])
    },
    {
      kubeconfig: async ({ refused: again }) => {
        configs.push(again)
        if (again && given) return { ok: false, failure: failure('kubeconfig-unusable', { detail: 'is refused' }) }
        return { ok: true, value: '/k' }
      },
      servers,
      knocks: async ({ address }) => !shut.includes(address),
      cacheDir: '/c',
    },
  )
  return { kubernetes, asked, commands, configs }
}

const all = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const everybody = (answer: Answered) => Object.fromEntries([...all, 'own'].map((server) => [server, answer]))

const options = { timeoutMs: 10_000 }
const down: Answered = { exitCode: 1, stderr: refused }

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
  assert.is(answer.ok ? '' : answer.failure.reason, 'kubernetes-forbidden')
  assert.equal(asked, ['10.0.0.1'])
})

const WHOLE = { metadata: { name: 'l', namespace: 'n', resourceVersion: '1' }, spec: { holderIdentity: 'x' } }
const LEASES: [what: string, stdout: string, says: string][] = [
  ['is one', JSON.stringify({ kind: 'Lease', ...WHOLE }), 'x'],
  ['was made by hand, without a spec', JSON.stringify({ kind: 'Lease', metadata: WHOLE.metadata }), 'nobody'],
  ['is cut off', '{"kind":"Lease","metadata":{', 'garbage-answer'],
  ['is a page of a proxy', '<html>Sign in</html>', 'garbage-answer'],
  ['is an object of another form', '{"kind":"Lease","metadata":7}', 'garbage-answer'],
]
for (const [what, stdout, says] of LEASES)
  test(`takes what kubectl says of the Lease, which ${what}, for what it is`, async () => {
    const { kubernetes } = scripted(everybody({ stdout }))
    for (const answer of [await kubernetes.readLease(options), await kubernetes.createLease(WHOLE, options)]) {
      const { spec } = answer.ok && typeof answer.value === 'object' ? answer.value : {}
      assert.is(answer.ok ? (spec?.holderIdentity ?? 'nobody') : answer.failure.reason, says)
    }
  })

const unauthorized: Answered = { exitCode: 1, stderr: 'error: You must be logged in to the server (Unauthorized)' }
const stranger: Answered = {
  exitCode: 1,
  stderr:
    'Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority',
}

type Way = {
  behaviour: string
  answers: Record<string, Answered>
  /** addresses that take no connection */
  shut?: string[]
  avoid?: string
  /** the kubeconfig is the person's own: no other one can be had */
  given?: true
  asked: string[]
  says: string
}

const ways: Way[] = [
  {
    behaviour: 'leaves a kubeconfig that a control plane refuses to the next one',
    answers: { '10.0.0.1': unauthorized },
    asked: ['10.0.0.1', '10.0.0.2'],
    says: 'well',
  },
  {
    behaviour: "comes to the kubeconfig's own server, of whose CA no control plane has a certificate",
    answers: Object.fromEntries(all.map((server) => [server, stranger])),
    given: true,
    asked: [...all, 'own'],
    says: 'well',
  },
  {
    behaviour: 'gets a new kubeconfig once where everybody refuses the one it has',
    answers: everybody(unauthorized),
    asked: [...all, 'own', ...all, 'own'],
    says: 'kubeconfig-unusable: You must be logged in to the server (Unauthorized)',
  },
  {
    behaviour: "says what the kubeconfig's own server says where nobody takes it",
    answers: { ...everybody(stranger), own: unauthorized },
    given: true,
    asked: [...all, 'own'],
    says: 'kubeconfig-unusable: is refused: You must be logged in to the server (Unauthorized)',
  },
  {
    behaviour: "says that the kubeconfig's own server is silent, not that strangers refuse it",
    answers: { ...everybody(stranger), own: down },
    given: true,
    asked: [...all, 'own'],
    says: `kubernetes-unreachable: ${refused}`,
  },
  {
    behaviour: 'asks no port that takes no connection while there is another way',
    answers: {},
    shut: all,
    asked: ['own'],
    says: 'well',
  },
  {
    behaviour: 'asks at last what takes no connection, since a proxy may lead to it',
    answers: { own: down, '10.0.0.3': down },
    shut: ['10.0.0.1', '10.0.0.2'],
    asked: ['10.0.0.3', 'own', '10.0.0.1'],
    says: 'well',
  },
  {
    behaviour: 'asks a node that goes down after all that are open',
    answers: { own: down },
    shut: ['10.0.0.1', '10.0.0.3'],
    avoid: '10.0.0.2',
    asked: ['own', '10.0.0.2'],
    says: 'well',
  },
]

for (const { behaviour, answers, shut = [], avoid, given = false, asked, says } of ways)
  test(behaviour, async () => {
    const scene = scripted(answers, { shut, given })
    const answer = await scene.kubernetes.node('a', { ...options, ...(avoid === undefined ? {} : { avoid }) })
    assert.equal(scene.asked, asked)
    assert.is(answer.ok ? 'well' : `${answer.failure.reason}: ${answer.failure.detail}`, says)
  })

test('knocks no more where the way is known', async () => {
  const { kubernetes, asked } = scripted({ '10.0.0.1': stranger, '10.0.0.2': stranger, '10.0.0.3': stranger })
  await kubernetes.node('a', options)
  await kubernetes.node('a', options)
  assert.equal(asked.slice(4), ['own'])
})

test('cordons and uncordons by one patch that carries the version it has read', async () => {
  const conflict = { exitCode: 1, stderr: 'Error from server (Conflict): Operation cannot be fulfilled on nodes "a"' }
  const answer: Answered = { stdout: 'true' }
  const { kubernetes, commands } = scripted({ '10.0.0.1': answer })
  const node = kubeNode('a', '10.0.0.9', { resourceVersion: '41' })
  const mark = { run: 'r', at: 't' }
  assert.equal(await kubernetes.cordon(node, mark, options), { ok: true, value: 'done' })
  assert.equal(await kubernetes.uncordon(node, options), { ok: true, value: 'conflict' }, 'it is shown to be cordoned')
  answer.stdout = ''
  assert.equal(await kubernetes.uncordon(node, options), { ok: true, value: 'done' })
  assert.equal(await kubernetes.cordon(node, mark, options), { ok: true, value: 'conflict' }, 'it is not shown')
  const patches = [commands[0], commands[2]].map((patch) => {
    const word = patch?.argv.find((one) => one.startsWith('--patch='))
    return JSON.parse(word?.slice('--patch='.length) ?? '')
  })
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

test('asks of a Node who set its fields, which kubectl does not show by itself, and takes a mark away alone', async () => {
  const { kubernetes, commands } = scripted({})
  await kubernetes.node('a', options)
  await kubernetes.nodes(options)
  assert.ok(commands.every(({ argv }) => argv.includes('--show-managed-fields')))
  const node = kubeNode('a', '10.0.0.9', { resourceVersion: '41' })
  assert.equal(await kubernetes.unmark(node, options), { ok: true, value: 'done' })
  assert.equal(JSON.parse(commands.at(-1)?.argv.at(-1)?.slice('--patch='.length) ?? ''), {
    metadata: { resourceVersion: '41', annotations: { 'talos-workflows/cordon': null } },
  })
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
  assert.is(noted.ok ? '' : noted.failure.reason, 'kubernetes-forbidden')
})

test('takes the judgement of the API server on an eviction for an answer, and its silence for none', async () => {
  const judged = async (answer: Answered) =>
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

test('asks for the time and for all its rights at once, and tells those that it lacks with the name of who asked', async () => {
  const rights = [
    { verb: 'create', resource: 'pods/eviction', group: '' },
    { verb: 'get', resource: 'leases', group: 'coordination.k8s.io', namespace: 'kube-system' },
  ]
  const now = '2026-01-01T00:00:00Z'
  const { kubernetes, commands } = scripted({ '10.0.0.1': { stdout: `${now} Jane D\n true\n false\n` } })
  const denied = [{ ...rights[1], user: 'Jane D' }]
  assert.equal(await kubernetes.review(rights, options), { ok: true, value: { now, denied } })
  const { items } = JSON.parse(commands[0]?.stdin ?? '')
  assert.equal(
    items.map(({ kind, spec }: { kind: string; spec?: { resourceAttributes: object } }) => [
      kind,
      spec?.resourceAttributes,
    ]),
    [
      ['SelfSubjectReview', undefined],
      ['SelfSubjectAccessReview', { verb: 'create', group: '', resource: 'pods', subresource: 'eviction' }],
      [
        'SelfSubjectAccessReview',
        { verb: 'get', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-system' },
      ],
    ],
  )
  const garbled = await scripted({ '10.0.0.1': { stdout: `${now} jane\n true\n` } }).kubernetes.review(rights, options)
  assert.is(garbled.ok ? '' : garbled.failure.reason, 'garbage-answer')
})

test('tells a gate that is not met from one that can not be evaluated', async () => {
  const gate = { name: 'g', resource: 'deployment/web', for: 'condition=Available', timeoutMs: 1_000 }
  const state = async (answer: Answered) => {
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
  const webhook = 'admission webhook "cleaner.example" denied the request: The pod will be moved, later'
  const lines = [
    'evicting pod shop/web-1',
    `error when evicting pods/"web-1" -n "shop" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.`,
    'error when evicting pod "job-1" from terminating namespace "old" (will retry after 5s): pods "job-1" is forbidden: not now',
    `error: unable to drain node "a" due to error: [error when evicting pods/"kafka-0" -n "kafka": ${webhook}, error when waiting for pod "db-0" in namespace "shop" to terminate: global timeout reached: 9s, error when evicting pods/"web-1" -n "shop": global timeout reached: 9s], continuing command...`,
    `error: unable to drain node "a" due to error: error when evicting pods/"kafka-1" -n "kafka": ${webhook}, continuing command...`,
  ]
  const kubernetes = createKubernetes(
    async (_, more) => {
      for (const line of lines) more?.onErrorLine?.(line)
      return commandResult({ exitCode: 1, stderr: 'error: global timeout reached: 9s' })
    },
    {
      kubeconfig: async () => ({ ok: true, value: '/k' }),
      servers: [],
      knocks: async () => true,
      cacheDir: '/c',
    },
  )
  const policy = {
    ...{ enabled: true, timeoutMs: 9_000, detachMs: 1, force: false, disableEviction: false },
    ...({ liftedBudgets: [], whenBlocked: 'refuse', whenGivenUp: 'stop' } as const),
  }
  const drained = await kubernetes.drain(
    'a',
    { policy, timeoutMs: 9_000, say: (pod, why) => said.push(`${pod}: ${why}`) },
    { timeoutMs: 9_000 },
  )
  assert.is(drained.ok ? '' : drained.failure.reason, 'drain-blocked')
  assert.equal(said, [
    `shop/web-1: Cannot evict pod as it would violate the pod's disruption budget.`,
    'old/job-1: pods "job-1" is forbidden: not now',
    `kafka/kafka-0: ${webhook}`,
    `kafka/kafka-1: ${webhook}`,
  ])
})

test('streams Nodes as kubectl prints its events, and goes on to no other server once it told something', async () => {
  const event = (type: string, name: string) =>
    JSON.stringify({ object: { apiVersion: 'v1', kind: 'Node', metadata: { name } }, type })
  const stdout = [event('ADDED', 'a'), event('BOOKMARK', ''), event('DELETED', 'a'), 'warning', ''].join('\n')
  const { kubernetes, asked } = scripted({
    '10.0.0.1': down,
    '10.0.0.2': { exitCode: 1, stdout, stderr: 'error: unable to decode an event: unexpected EOF' },
  })
  const told: string[] = []
  const { signal } = new AbortController()
  await kubernetes.watchNodes(({ gone, item }) => told.push(`${item.name}${gone ? ' is gone' : ''}`), { signal })
  assert.equal(told, ['a', 'a is gone'])
  assert.equal(asked, ['10.0.0.1', '10.0.0.2'])
})

test.run()
