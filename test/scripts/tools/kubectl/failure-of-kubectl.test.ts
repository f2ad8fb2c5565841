import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failureOfKubectl, refusalOf } from '../../../../scripts/tools/kubectl/failure-of-kubectl.ts'
import { type FailureReason, failure } from '../../../../workflows/model/failure.ts'
import { type Answered, commandResult } from '../../../support/command-result.ts'

const ended = (stderr: string, more: Answered = {}) => commandResult({ exitCode: 1, stderr, ...more })

const noise = `E1121 07:30:39.799336   15472 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \\"https://10.0.0.1:6443/api?timeout=5s\\": dial tcp 10.0.0.1:6443: connect: connection refused"\n`

const rows: [says: string, reason: FailureReason, detail: string, refusal: string | undefined][] = [
  [
    `${noise}The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?`,
    'kubernetes-unreachable',
    'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?',
    undefined,
  ],
  [
    'Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout',
    'kubernetes-unreachable',
    'Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout',
    undefined,
  ],
  [
    'Unable to connect to the server: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
    'kubernetes-unreachable',
    'Unable to connect to the server: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
    undefined,
  ],
  [
    'Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for 10.0.0.9, not 10.0.0.1',
    'kubernetes-unreachable',
    'Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for 10.0.0.9, not 10.0.0.1',
    undefined,
  ],
  [
    'Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority',
    'kubeconfig-unusable',
    'Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority',
    undefined,
  ],
  [
    'error: You must be logged in to the server (Unauthorized)',
    'kubeconfig-unusable',
    'You must be logged in to the server (Unauthorized)',
    undefined,
  ],
  [
    `E1130 14:05:55.902991   30538 memcache.go:265] "Unhandled Error" err=<
	couldn't get current server API group list: Get "https://10.0.0.1:6443/api?timeout=32s": getting credentials: exec: executable no-such-login not found

	To learn more about this feature, consult the documentation available at:
	      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 >
Unable to connect to the server: getting credentials: exec: executable no-such-login not found

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins`,
    'kubeconfig-unusable',
    'Unable to connect to the server: getting credentials: exec: executable no-such-login not found',
    undefined,
  ],
  ['Please enter Username: error: EOF', 'kubeconfig-unusable', 'Please enter Username: error: EOF', undefined],
  [
    'Error in configuration: context was not found for specified context: gone',
    'kubeconfig-unusable',
    'Error in configuration: context was not found for specified context: gone',
    undefined,
  ],
  [
    'Error from server (Forbidden): nodes "a" is forbidden: User "x" cannot patch resource "nodes"',
    'kubernetes-forbidden',
    'nodes "a" is forbidden: User "x" cannot patch resource "nodes"',
    'Forbidden',
  ],
  [
    'Error from server (Forbidden): admission webhook "cleaner.example" denied the request: The pod will be moved by its operator',
    'command-failed',
    'admission webhook "cleaner.example" denied the request: The pod will be moved by its operator',
    'Forbidden',
  ],
  [
    'Error from server (InternalError): Internal error occurred: failed calling webhook "x.example": failed to call webhook: Post "https://10.0.0.9/": dial tcp 10.0.0.9:443: connect: connection refused',
    'command-failed',
    'Internal error occurred: failed calling webhook "x.example": failed to call webhook: Post "https://10.0.0.9/": dial tcp 10.0.0.9:443: connect: connection refused',
    'InternalError',
  ],
  [
    'Error from server (Conflict): Operation cannot be fulfilled on nodes "a": the object has been modified',
    'command-failed',
    'Operation cannot be fulfilled on nodes "a": the object has been modified',
    'Conflict',
  ],
  [
    "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.",
    'command-failed',
    "Cannot evict pod as it would violate the pod's disruption budget.",
    'TooManyRequests',
  ],
  [
    'Warning: ignoring DaemonSet-managed Pods: x\nerror: the server doesn\'t have a resource type "cephclusters"',
    'command-failed',
    'the server doesn\'t have a resource type "cephclusters"',
    undefined,
  ],
]

for (const [says, reason, detail, refusal] of rows) {
  test(`"${detail.slice(0, 60)}" is ${reason}`, () => {
    const result = ended(says)
    assert.equal(failureOfKubectl(result), { reason, detail })
    assert.is(refusalOf(result), refusal)
  })
}

test('what is forbidden is told with the roles that are missing, whatever kubectl says last', () => {
  const said = ['nodes', 'pods'].map(
    (kind) =>
      `Error from server (Forbidden): ${kind} is forbidden: User "ci" cannot list resource "${kind}" in API group "" at the cluster scope`,
  )
  const { reason, detail, manifest } = failureOfKubectl(ended([...said, 'error: something else'].join('\n')))
  assert.equal([reason, detail], ['kubernetes-forbidden', "the kubeconfig's user ci may not list nodes, nor list pods"])
  assert.match(manifest ?? '', 'kind: ClusterRole')
})

test('a kubectl that could not be started for want of files is not told to be missing', () => {
  const why = failure('file-unusable', { detail: 'bash can not be opened (EMFILE)', hint: 'ulimit -n 4096' })
  const { reason, detail, hint } = failureOfKubectl(ended('', { ended: { by: 'nothing', why } }))
  assert.equal([reason, hint], ['tool-missing', 'ulimit -n 4096'])
  assert.is(detail, 'kubectl can not be started: bash can not be opened (EMFILE)')
})

test('a server that lets the deadline pass is unreachable, and kubectl that is not there is missing', () => {
  assert.is(failureOfKubectl(ended('', { ended: { by: 'deadline' } })).reason, 'kubernetes-unreachable')
  assert.is(failureOfKubectl(ended('', { exitCode: 127 })).reason, 'tool-missing')
})

test.run()
