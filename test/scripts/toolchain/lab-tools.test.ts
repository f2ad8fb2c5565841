import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { wantsKubernetes } from '../../../lab/lab-file.ts'
import { labTools } from '../../../scripts/toolchain/lab-tools.ts'
import { fakeTools } from './fake-tools.ts'

const test = suite<{ fake: ReturnType<typeof fakeTools>; said: string[] }>('lab-tools')
test.before.each((context) => {
  context.fake = fakeTools()
  context.said = []
})
test.after.each(({ fake }) => fake.remove())

const stream = (said: string[]) => ({ write: (text: string) => said.push(text) })

test('a lab without Kubernetes needs no server of it, and says nothing of tools that are there', async ({
  fake,
  said,
}) => {
  fake.talosctl(join(fake.bin, 'talosctl'), '1.13.9')
  const etcd = {
    '3.6': fake.etcd(join(fake.folder, 'a/etcd'), '3.6.14'),
    '3.7': fake.etcd(join(fake.folder, 'b/etcd'), '3.7.1'),
  }
  const env = { ...fake.env, ETCD_3_6: etcd['3.6'], ETCD_3_7: etcd['3.7'] }
  const found = await labTools({ kubernetes: false }, { stream: stream(said), env })
  assert.equal(found, { talosctl: join(fake.bin, 'talosctl'), etcd })
  assert.equal(said, [])
})

test('what is missing is named before a build of it begins', async ({ fake, said }) => {
  fake.talosctl(join(fake.bin, 'talosctl'), '1.13.9')
  fake.go('3.6.14')
  const env = { ...fake.env, ETCD_3_7: fake.etcd(join(fake.folder, 'b/etcd'), '3.7.1') }
  const found = await labTools({ kubernetes: false }, { stream: stream(said), env })
  assert.match(said[0] ?? '', /^The lab needs etcd-3\.6, built first/)
  assert.match(said[1] ?? '', /^etcd-3\.6 +building/)
  assert.match(found?.etcd['3.6'] ?? '', fake.folder)

  said.length = 0
  // its Go builds nothing but etcd
  assert.is(await labTools({ kubernetes: true }, { stream: stream(said), env }), undefined)
  assert.match(said[0] ?? '', /needs kube-apiserver, kube-controller-manager, kube-scheduler, built first/)
})

test('whether servers of Kubernetes are wanted stands in lab.yaml', () => {
  assert.ok(wantsKubernetes(''))
  assert.not.ok(wantsKubernetes('kubernetes: {enabled: false}\n'))
  // what is wrong is told by lab up itself, and nothing is built for it
  assert.not.ok(wantsKubernetes('speed: fast\n'))
})

test.run()
