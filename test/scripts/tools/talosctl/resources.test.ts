import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Resource, readResources, resourceReader } from '../../../../scripts/tools/talosctl/resources.ts'
import {
  readExtensions,
  readKubeletVersion,
  readPlatform,
  readRole,
  readSecurityState,
  readStage,
} from '../../../../scripts/tools/talosctl/specs.ts'

const test = suite('resources')

/** As `encoding/json` with SetIndent prints them: one after the other, no array. */
const printed = (...objects: object[]) => objects.map((object) => `${JSON.stringify(object, null, 4)}\n`).join('')
const object = (node: string, id: unknown, spec: unknown) => ({ metadata: { id, namespace: 'runtime' }, node, spec })
const of = (spec: unknown): Resource => ({ node: 'a', id: 'x', spec })

test('splits concatenated objects, braces in strings included', () => {
  const resources = readResources(
    printed(object('10.0.0.1', 'machine', { text: '}\n{' }), object('10.0.0.2', 'machine', 'a word')),
  )
  assert.equal(resources, [
    { node: '10.0.0.1', id: 'machine', spec: { text: '}\n{' } },
    { node: '10.0.0.2', id: 'machine', spec: 'a word' },
  ])
})

test('keeps ids that are printed as numbers, like those of extensions', () => {
  assert.is(readResources(printed(object('a', 0, {})))[0]?.id, '0')
})

test('gives a resource as soon as its last line came, and its event', () => {
  const seen: Resource[] = []
  const feed = resourceReader((resource) => seen.push(resource))
  const lines = printed({ ...object('a', 'machine', {}), event: 'created' })
    .trimEnd()
    .split('\n')
  for (const line of lines.slice(0, -1)) feed(line)
  assert.is(seen.length, 0)
  feed(lines.at(-1) ?? '')
  assert.equal(seen, [{ node: 'a', id: 'machine', spec: {}, event: 'created' }])
})

test('does not drop what can not be read', () => {
  assert.equal(readResources('{\n  nonsense\n}\n'), [{ node: '', id: '', spec: undefined }])
})

test('an output that broke off has no last resource', () => {
  const text = printed(object('a', 'x', {}))
  assert.equal(readResources(text.slice(0, -4)), [])
})

test('reads the stage with what keeps it from being ready', () => {
  const spec = {
    stage: 'booting',
    status: { ready: false, unmetConditions: [{ name: 'services', reason: 'etcd not running' }] },
  }
  assert.equal(readStage(of(spec)), { stage: 'booting', ready: false, unmet: ['services: etcd not running'] })
})

test('reads the stage where there are no conditions at all', () => {
  assert.equal(readStage(of({ stage: 'running', status: { ready: true, unmetConditions: null } }))?.unmet, [])
  assert.equal(readStage(of({ stage: 'shutting down', status: { ready: true } }))?.stage, 'shutting down')
})

for (const spec of [
  undefined,
  {},
  'running',
  { stage: '', status: { ready: true } },
  { stage: 'running' },
  { stage: 1, status: {} },
])
  test(`${JSON.stringify(spec)} is no stage`, () => assert.is(readStage(of(spec)), undefined))

test('tells the schematic from the extensions', () => {
  const extension = (name: string, version: string) => of({ image: '0.sqsh', metadata: { name, version } })
  assert.equal(
    readExtensions([
      extension('iscsi-tools', 'v0.2.0'),
      extension('schematic', 'ab12'),
      extension('modules.dep', '6.18'),
    ]),
    { schematic: 'ab12', extensions: ['iscsi-tools'] },
  )
  assert.equal(readExtensions([]), { extensions: [] })
})

test('one extension that can not be read makes the list unreadable', () => {
  assert.is(readExtensions([of({ metadata: { name: 'a', version: 'v1' } }), of({})]), undefined)
})

test("takes the kubelet's version from its image", () => {
  const version = (image: unknown) => readKubeletVersion(of({ image }))
  assert.is(version('ghcr.io/siderolabs/kubelet:v1.36.1'), 'v1.36.1')
  assert.is(version('registry:5000/kubelet:v1.36.1@sha256:abc'), 'v1.36.1')
  assert.is(version('registry:5000/kubelet@sha256:abc'), undefined)
  assert.is(version(undefined), undefined)
})

test('an init node is a control plane', () => {
  assert.equal(
    ['controlplane', 'init', 'worker', 'unknown', {}].map((type) => readRole(of(type))),
    ['controlplane', 'controlplane', 'worker', undefined, undefined],
  )
})

test('platform and secure boot are read, or not made up', () => {
  assert.equal(readPlatform(of({ platform: 'metal' })), { platform: 'metal' })
  assert.is(readPlatform(of({})), undefined)
  assert.equal(readSecurityState(of({ secureBoot: true })), { secureBoot: true })
  assert.is(readSecurityState(undefined), undefined)
})

test.run()
