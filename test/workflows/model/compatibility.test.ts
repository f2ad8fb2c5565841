import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kubernetesObjections, versionObjections } from '../../../workflows/model/compatibility.ts'
import type { Failure } from '../../../workflows/model/failure.ts'

const hop = (from: string, to: string, expected: string[]) =>
  test(`${from} to ${to}: ${expected.join() || 'allowed'}`, () =>
    assert.equal(
      versionObjections(from, to).map((f) => f.reason),
      expected,
    ))

hop('v1.13.5', 'v1.13.9', [])
hop('v1.12.9', 'v1.13.9', [])
hop('v1.11.6', 'v1.13.9', ['hop-too-long'])
hop('v1.12.0', 'v1.14.0', ['hop-too-long'])
hop('v1.13.9', 'v1.13.5', ['downgrade'])
hop('v1.13.9', 'v1.12.9', ['downgrade'])
hop('v1.13.9', 'v1.99.0', ['version-unknown'])
hop('v1.13.9', 'v2.0.0', ['version-unknown'])
hop('v1.13.0-beta.1', 'v1.13.0', [])
hop('v1.13.0', 'v1.13.0-beta.1', ['downgrade'])
hop('v1.13.9', 'v1.14.0-rc.1', [])
hop('v1.13.9', 'v1.14.1', [])
hop('v1.14.0', 'v1.14.1', [])
hop('v1.13.1', 'v1.13.2', [])
hop('v1.12.9', 'v1.13.1', ['release-withdrawn'])

const kubernetes = (to: string, version: string, expected: string[]) =>
  test(`Talos ${to} with Kubernetes ${version}: ${expected.join() || 'allowed'}`, () =>
    assert.equal(
      kubernetesObjections(to, version, 'the node runs').map((f) => f.reason),
      expected,
    ))

kubernetes('v1.13.9', 'v1.31.0', [])
kubernetes('v1.13.9', 'v1.36.99', [])
kubernetes('v1.13.9', 'v1.30.14', ['kubernetes-out-of-range'])
kubernetes('v1.13.9', 'v1.37.0', ['kubernetes-out-of-range'])
kubernetes('v1.14.0', 'v1.32.0', [])
kubernetes('v1.14.0', 'v1.31.9', ['kubernetes-out-of-range'])

/** Refusals with what to type. */
const said = (failures: Failure[], expected: [detail: RegExp, hint: string | undefined]) => {
  assert.is(failures.length, 1)
  assert.match(failures[0]?.detail ?? '', expected[0])
  assert.is(failures[0]?.hint, expected[1])
}

const hint = (from: string, to: string, ...expected: Parameters<typeof said>[1]) =>
  test(`${from} to ${to} is refused with "${expected[1]}"`, () => said(versionObjections(from, to), expected))

hint('v1.12.9', 'v1.14.1', /skips a minor release/, 'workflows/upgrade.ts --to v1.13.10')
hint('v1.11.6', 'v1.14.1', /skips a minor release/, 'workflows/upgrade.ts --to v1.12.11')
hint('v1.9.5', 'v1.13.9', /skips a minor release/, 'workflows/upgrade.ts --to v1.10.9')
hint('v1.7.0', 'v1.13.9', /skips a minor release: first comes the newest v1\.8$/, undefined)
hint('v1.13.0', 'v1.13.1', /^Talos v1\.13\.1 was withdrawn: .*talos#13312/, 'workflows/upgrade.ts --to v1.13.10')
hint('v1.13.9', 'v1.15.0', /known: 1\.10, .*1\.14/, 'git pull # a later version of this tool may know it')

test('a withdrawn release too far ahead is refused for both', () =>
  assert.equal(
    versionObjections('v1.11.6', 'v1.13.1').map(({ reason }) => reason),
    ['release-withdrawn', 'hop-too-long'],
  ))

const kubernetesHint = (to: string, version: string, ...expected: Parameters<typeof said>[1]) =>
  test(`Talos ${to} with Kubernetes ${version} is refused with "${expected[1]}"`, () =>
    said(kubernetesObjections(to, version, 'the node runs'), expected))

kubernetesHint(
  'v1.13.9',
  'v1.37.0',
  /supports Kubernetes 1\.31 to 1\.36, the node runs v1\.37\.0/,
  'workflows/upgrade.ts --to v1.14.1 # or keep Kubernetes at 1.36',
)
kubernetesHint('v1.14.1', 'v1.38.0', /supports Kubernetes 1\.32 to 1\.37/, undefined)
kubernetesHint(
  'v1.14.1',
  'v1.31.4',
  /supports Kubernetes 1\.32 to 1\.37/,
  'talosctl upgrade-k8s --to 1.32.0 # or a later patch',
)
kubernetesHint(
  'v1.14.1',
  'v1.30.4',
  /supports Kubernetes 1\.32 to 1\.37/,
  'talosctl upgrade-k8s --to 1.31.0 # or a later patch, then to 1.32',
)

test.run()
