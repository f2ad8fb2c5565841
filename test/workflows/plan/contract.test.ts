import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contractOf } from '../../../workflows/plan/contract.ts'

const row = (why: string, of: Parameters<typeof contractOf>[0], expected: string) =>
  test(`${why}: ${expected}`, () => assert.is(contractOf(of), expected))

row('the first generation takes that of the release', { talosVersion: 'v1.12.9' }, 'v1.12')
row('a release whose documents are not ours', { talosVersion: 'v1.14.1' }, 'v1.13')
row('a release candidate', { talosVersion: 'v1.14.0-rc.1' }, 'v1.13')
row('the last generation stays through an upgrade', { talosVersion: 'v1.13.9', before: 'v1.12' }, 'v1.12')
row('and through the next', { talosVersion: 'v1.14.1', before: 'v1.12' }, 'v1.12')
row('a two-digit minor is not less than a one-digit one', { talosVersion: 'v1.10.9', before: 'v1.9' }, 'v1.9')
row('what the nodes can not read is not kept', { talosVersion: 'v1.12.9', before: 'v1.13' }, 'v1.12')
row('a last generation that is not ours', { talosVersion: 'v1.14.1', before: 'v1.14' }, 'v1.13')
row('what is declared moves it', { talosVersion: 'v1.14.1', before: 'v1.12', declared: 'v1.13' }, 'v1.13')
row('back too', { talosVersion: 'v1.14.1', before: 'v1.13', declared: 'v1.12' }, 'v1.12')

test.run()
