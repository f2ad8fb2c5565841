import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kubernetesObjections, versionObjections } from '../../../workflows/plan/compatibility.ts'

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

test('names the next hop where the target is too far', () => {
  assert.match(versionObjections('v1.11.6', 'v1.13.9')[0]?.hint ?? '', /v1\.12/)
})

test.run()
