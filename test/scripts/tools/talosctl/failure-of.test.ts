import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { failureOf, neverArrived } from '../../../../scripts/tools/talosctl/failure-of.ts'
import type { Failure } from '../../../../workflows/model/failure.ts'
import { type Answered, commandResult } from '../../../support/command-result.ts'

const test = suite('what talosctl says, what it means')

const said = (stderr: string, more: Answered = {}) => commandResult({ exitCode: 1, stderr, ...more })
const unavailable = 'rpc error: code = Unavailable desc = connection error: desc = "transport: '
const pulling = { failed: 'image-pull-failed', late: 'image-pull-timed-out' } as const
const installing = { failed: 'install-failed', late: 'install-timed-out' } as const
const rebooting = { failed: 'reboot-failed', late: 'reboot-failed' } as const

// What talosctl 1.13.9 printed, against the lab where it takes a node to say it.
const rows: [what: string, stderr: string, reason: Failure['reason'], detail: RegExp, changing?: typeof pulling][] = [
  [
    'an empty talosconfig',
    'error constructing client: failed to create client connection: failed to resolve configuration context: talos config file is empty\n',
    'talosconfig-invalid',
    /talos config file is empty$/,
  ],
  [
    'a context that is not there',
    'error constructing client: failed to create client connection: failed to resolve configuration context: default context "a" not found in config\n',
    'talosconfig-invalid',
    /default context "a" not found/,
  ],
  [
    'a talosconfig that is no YAML',
    'failed to open config file "bad": yaml: while parsing a flow node at line 1: did not find expected node content\n',
    'talosconfig-invalid',
    /failed to open config file "bad"/,
  ],
  [
    'a talosconfig without a CA',
    'error constructing client: failed to create client connection: failed to append CA certificate to RootCAs pool\n',
    'talosconfig-invalid',
    /failed to append CA certificate/,
  ],
  [
    'a closed port',
    `error getting version: ${unavailable}Error while dialing: dial tcp 127.0.77.1:50000: connect: connection refused"\n`,
    'node-unreachable',
    /^dial tcp 127\.0\.77\.1:50000: connect: connection refused$/,
  ],
  [
    "a stranger's certificate",
    `error getting version: ${unavailable}authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \\"x509: Ed25519 verification failure\\" while trying to verify candidate authority certificate \\"talos\\")"\n`,
    'wrong-ca',
    /not signed by the cluster's CA/,
  ],
  [
    "a stranger's certificate behind an endpoint",
    `error executing reboot: 1 error occurred:\n\t* 127.128.65.12: ${unavailable}authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"\n\n\n`,
    'wrong-ca',
    /not signed by the cluster's CA/,
  ],
  [
    "a registry's unknown certificate, which says nothing about the node",
    'error from node 10.0.0.11: rpc error: code = Unknown desc = failed to pull image: tls: failed to verify certificate: x509: certificate signed by unknown authority\n',
    'image-pull-failed',
    /failed to pull image/,
    pulling,
  ],
  [
    'our client certificate refused',
    `error getting version: ${unavailable}authentication handshake failed: remote error: tls: unknown certificate authority"\n`,
    'wrong-ca',
    /refuses our client certificate/,
  ],
  [
    'our client certificate expired',
    `error getting version: ${unavailable}authentication handshake failed: remote error: tls: expired certificate"\n`,
    'client-certificate-expired',
    /expired certificate/,
  ],
  [
    "the node's certificate expired",
    `error getting version: ${unavailable}authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-21T00:29:00Z is after 2026-01-01T00:00:00Z"\n`,
    'node-unreachable',
    /one of the clocks/,
  ],
  [
    'a role that may not do it',
    'error executing reboot: rpc error: code = PermissionDenied desc = not authorized\n',
    'permission-denied',
    /not authorized/,
  ],
  [
    'a version that is none',
    '127.128.65.12: error parsing server version: Invalid character(s) found in major number "0garbage"\n',
    'garbage-answer',
    /error parsing server version/,
  ],
  [
    'an image that is not there',
    'error from node 127.31.124.11: rpc error: code = NotFound desc = error pulling image: failed to resolve reference "factory.talos.dev/metal-installer/abc:v9.9.9": factory.talos.dev/metal-installer/abc:v9.9.9: not found\n',
    'image-pull-failed',
    /^error pulling image: failed to resolve reference/,
    pulling,
  ],
  [
    'an etcd that does not run',
    `error getting status: 1 error occurred:\n\t* 127.136.60.12: ${unavailable}Error while dialing: dial tcp 127.136.60.12:2379: connect: connection refused"\n\n\n`,
    'etcd-member-unhealthy',
    /^dial tcp 127\.136\.60\.12:2379/,
  ],
  [
    'a connection that broke while reading',
    'error watching resource: rpc error: code = Unavailable desc = error reading from server: EOF\n',
    'node-unreachable',
    /EOF/,
  ],
  [
    'a connection that broke while changing, which leaves open what happened',
    'error executing reboot: rpc error: code = Unavailable desc = error reading from server: EOF\n',
    'reboot-failed',
    /EOF/,
    rebooting as never,
  ],
  [
    'a mistake of ours, without the usage that is printed with it',
    'unknown command "nosuch" for "talosctl"\n\nUsage:\n  talosctl [command]\n\nAvailable Commands:\n  x\n',
    'command-failed',
    /^unknown command "nosuch" for "talosctl"$/,
  ],
  // and what talosctl 1.14.1 printed
  [
    '1.14: a node that does not tell its version',
    `127.110.159.77: error getting server version: ${unavailable}Error while dialing: dial tcp 127.110.159.77:50000: connect: connection refused"\n`,
    'node-unreachable',
    /^dial tcp 127\.110\.159\.77:50000: connect: connection refused$/,
  ],
  [
    '1.14: a version that is none',
    'WARNING: 127.110.159.101: server version 1.13.5 is older than client version 1.14.1\n127.110.159.12: error parsing server version: Invalid character(s) found in major number "0garbage"\n',
    'garbage-answer',
    /^error parsing server version: Invalid character/,
  ],
  [
    '1.14: an image that is not there, on a node below 1.13',
    'error pulling image on node 127.110.159.13: rpc error: code = NotFound desc = error pulling image: failed to resolve reference "factory.talos.dev/metal-installer/abc:v1.13.8": not found\n',
    'image-pull-failed',
    /^error pulling image: failed to resolve reference/,
    pulling,
  ],
  [
    '1.14: an installer that fails',
    '127.110.159.101: error: write /boot: input/output error\n127.110.159.101: Exit code: 1\n127.110.159.101: upgrade failed with exit code 1\nerror during upgrade: node 127.110.159.101: upgrade failed with exit code 1\n',
    'install-failed',
    /^upgrade failed with exit code 1$/,
    installing as never,
  ],
  [
    '1.14: a node that is not there when it is to install',
    `error checking Talos version compatibility: 127.110.159.77: error getting server version: ${unavailable}Error while dialing: dial tcp 127.110.159.77:50000: connect: connection refused"\n`,
    'node-unreachable',
    /^dial tcp 127\.110\.159\.77:50000/,
    installing as never,
  ],
  [
    '1.14: a connection that broke while changing',
    'WARNING: 127.110.159.101: server version 1.13.5 is older than client version 1.14.1\nerror executing reboot on node 127.110.159.101: rpc error: code = Unavailable desc = error reading from server: EOF\n',
    'reboot-failed',
    /^error reading from server: EOF$/,
    rebooting as never,
  ],
  [
    '1.14: an etcd that does not run',
    `error from node 127.110.159.12: ${unavailable}Error while dialing: dial tcp 127.110.159.12:2379: connect: connection refused"\n`,
    'etcd-member-unhealthy',
    /^dial tcp 127\.110\.159\.12:2379/,
  ],
  [
    '1.14: more nodes than a command takes',
    'command "read" requires exactly one node (got 2)\n\nUsage:\n  talosctl read <path> [flags]\n',
    'command-failed',
    /^command "read" requires exactly one node \(got 2\)$/,
  ],
  [
    'warnings are not the reason',
    'WARNING: 10.0.0.1: server version 1.12.7 is older than client version 1.13.9\nrpc error: code = NotFound desc = resource "x" is not registered\n',
    'command-failed',
    /^resource "x" is not registered$/,
  ],
  // read from Talos 1.13 and 1.14, internal/pkg/containers/image/{pull,verify/verify}.go
  [
    'an image that a rule denies, worded by a pull',
    'error from node 10.0.0.11: rpc error: code = Unknown desc = verification denied by matched rule (0002)\n',
    'image-refused',
    /^verification denied by matched rule \(0002\)$/,
    pulling,
  ],
  [
    'an image that a rule denies, with the code that Verify gives',
    'error pulling image on node 10.0.0.11: rpc error: code = PermissionDenied desc = verification denied by matched rule (0000)\n',
    'image-refused',
    /^verification denied by matched rule \(0000\)$/,
    pulling,
  ],
  [
    'an image without the signature that a rule wants, for two reasons on two lines',
    'error from node 10.0.0.11: rpc error: code = Unknown desc = image verification failed: no valid signature found: no valid bundle referrers\nlegacy signature tag not found\n',
    'image-refused',
    /^image verification failed: no valid signature found: no valid bundle referrers; legacy signature tag not found$/,
    pulling,
  ],
  [
    'rules that can not be read now, which is no refusal',
    'error from node 10.0.0.11: rpc error: code = Internal desc = failed to convert verification rule to cosign check options: failed to watch for TUF trusted root: context deadline exceeded\n',
    'image-pull-failed',
    /TUF trusted root/,
    pulling,
  ],
]

for (const [what, stderr, reason, detail, changing] of rows)
  test(what, () => {
    const failure = failureOf(said(stderr), changing)
    assert.is(failure.reason, reason)
    assert.match(failure.detail ?? '', detail)
  })

test('a missing program is told from a failing one', () => {
  assert.is(failureOf(said('bash: exec: talosctl: not found', { exitCode: 127 })).reason, 'tool-missing')
})

test('a deadline while reading means that the node does not answer, whatever the ended talosctl says', () => {
  const late = failureOf(
    said('Signal received, aborting\nerror getting version: context canceled', { ended: { by: 'deadline' } }),
  )
  assert.equal(late, { reason: 'node-unreachable', detail: 'no answer before the deadline' })
})

test('who was killed without a word is told by its signal', () => {
  const ended = { by: 'signal', signal: 'SIGKILL' } as const
  assert.is(failureOf(said('', { ended })).detail, 'talosctl was ended by SIGKILL')
})

test('a deadline while pulling has a reason of its own', () => {
  assert.is(failureOf(said('', { ended: { by: 'deadline' } }), pulling).reason, 'image-pull-timed-out')
})

test('a long story is cut short', () => {
  assert.ok((failureOf(said('x'.repeat(5000))).detail ?? '').length <= 300)
})

test('only a call that was certainly not delivered may go through another endpoint', () => {
  const dialling = `${unavailable}Error while dialing: dial tcp 10.0.0.1:50000: connect: connection refused"`
  assert.ok(neverArrived(said(`error executing reboot: ${dialling}`)))
  assert.not.ok(neverArrived(said(dialling, { exitCode: 0 })))
  assert.not.ok(
    neverArrived(said('error executing reboot: rpc error: code = Unavailable desc = error reading from server: EOF')),
  )
  assert.not.ok(neverArrived(said(dialling.replace('50000', '2379'))))
})

test.run()
