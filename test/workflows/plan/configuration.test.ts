import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfiguration } from '../../../scripts/tools/talosctl/machine-config.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import type { Configuration, NodeObservation } from '../../../workflows/model/observation.ts'
import { configurationObjection, isUnchecked, modeToJudge } from '../../../workflows/plan/configuration.ts'

const resource = (id: string, spec: string, version = '1') => ({ node: 'a', id, version, spec })
const read = (...resources: ReturnType<typeof resource>[]): Result<Configuration> => {
  const value = readConfiguration(resources)
  return value ? { ok: true, value } : { ok: false, failure: failure('garbage-answer') }
}
const hashOf = (seen: Result<Configuration>): string => (seen.ok ? seen.value.hash : '')

const booted = read(resource('v1alpha1', 'x: 1'))
const applied = read(resource('v1alpha1', 'x: 1', '2'), resource('persistent', 'x: 1'))
const other = read(resource('v1alpha1', 'x: 2', '2'), resource('persistent', 'x: 2'))

const rows: readonly [what: string, seen: Result<Configuration>, installed: string | undefined, expected: string][] = [
  ['booted from its disk', booted, undefined, 'may'],
  ['applied', applied, undefined, 'may'],
  ['staged', read(resource('v1alpha1', 'x: 1'), resource('persistent', 'x: 2')), undefined, 'configuration-pending'],
  [
    'on trial after an apply',
    read(resource('v1alpha1', 'x: 2', '3'), resource('persistent', 'x: 1')),
    undefined,
    'configuration-pending',
  ],
  // a node that booted from its disk shows no `persistent`: only what runs tells that something changed
  ['on trial since the boot', read(resource('v1alpha1', 'x: 2', '2')), undefined, 'configuration-pending'],
  ['as it was installed', booted, hashOf(booted), 'may'],
  ['applied again as it was installed', applied, hashOf(booted), 'may'],
  ['changed since it was installed', other, hashOf(booted), 'configuration-changed'],
  ['not readable', read(), undefined, 'configuration-unread'],
  ['not readable since it was installed', read(), hashOf(booted), 'configuration-unread'],
  ['not for this role to read', { ok: false, failure: failure('permission-denied') }, hashOf(booted), 'may'],
]

for (const [what, seen, installed, expected] of rows)
  test(`a machine configuration that is ${what}: ${expected}`, () => {
    const objection = configurationObjection('a', seen, { installed })
    assert.is(objection?.reason ?? 'may', expected)
    assert.not.match(JSON.stringify(objection ?? ''), 'x: ', 'its text is secret')
  })

const modes: [what: string, seen: object | undefined, to: string, talosctl: string, expected: string][] = [
  ['bare metal', { version: 'v1.13.9', platform: 'metal' }, 'v1.14.1', '1.14.0', 'metal'],
  ['a virtual machine', { version: 'v1.13.9', platform: 'nocloud' }, 'v1.14.1', '1.14.1', 'cloud'],
  ['a container', { version: 'v1.13.5', platform: 'container' }, 'v1.13.9', '1.13.9', 'container'],
  ['a node that runs the target', { version: 'v1.14.1', platform: 'metal' }, 'v1.14.1', '1.14.1', 'not at all'],
  ['a newer talosctl', { version: 'v1.12.9', platform: 'metal' }, 'v1.13.9', '1.14.1', 'not at all'],
  ['a node that is silent', undefined, 'v1.14.1', '1.14.1', 'not at all'],
]
for (const [what, seen, to, talosctl, expected] of modes)
  test(`the configuration of ${what} is judged ${expected === 'not at all' ? '' : 'in mode '}${expected}`, () => {
    const observation = (seen ? { reachable: true, ...seen } : { reachable: false }) as NodeObservation
    assert.is(modeToJudge(observation, to, talosctl) ?? 'not at all', expected)
  })

test('of a machine configuration only its hash is kept, and what its kernel arguments may show', () => {
  const text =
    'machine:\n  token: abc\n  install:\n    extraKernelArgs: [quiet, "x=https://h?jointoken=abc"]\n---\nkind: Other\n'
  const seen = read(resource('v1alpha1', text))
  assert.equal(seen.ok && seen.value.kernelArguments, ['quiet', 'x=https://h?jointoken=…'])
  assert.not.match(JSON.stringify(seen), 'abc')
  assert.is(booted.ok && booted.value.kernelArguments, undefined)
})

test('only a role that may not read it leaves a configuration unchecked', () => {
  assert.ok(isUnchecked({ ok: false, failure: failure('permission-denied') }))
  assert.not.ok(isUnchecked(read()) || isUnchecked(booted))
})

test.run()
