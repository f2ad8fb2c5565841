import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command } from '../../../scripts/run.ts'
import { talosctlCommands } from '../../../scripts/tools/talosctl.ts'

const test = suite('talosctl command lines')

const at = { talosconfig: 'talosconfig', endpoint: '10.0.0.12', nodes: ['10.0.0.11'], timeoutMs: 1 }
const all = { ...at, nodes: ['10.0.0.11', '10.0.0.12', 'fd00::13'] }
const image = 'factory.talos.dev/metal-installer/3765:v1.13.9'
const line = 'talosctl --talosconfig talosconfig -e 10.0.0.12 -n 10.0.0.11'
const c = talosctlCommands

const rows: [what: string, command: Command, is: string, mutates?: true][] = [
  ['asks many nodes for their version', c.version(all), `${line},10.0.0.12,fd00::13 version`],
  ['gets every resource of a kind', c.get(at, 'extensions'), `${line} get extensions -o json`],
  ['gets one resource', c.get(at, 'machinestatus', 'machine'), `${line} get machinestatus machine -o json`],
  ['watches the stage', c.watchStage(at), `${line} get machinestatus machine --watch -o json`],
  ['reads the boot id', c.bootId(at), `${line} read /proc/sys/kernel/random/boot_id`],
  ["reads machined's log", c.machinedLog(at), `${line} logs machined`],
  ['lists etcd members', c.etcdMembers(at), `${line} etcd members`],
  ['asks for etcd status', c.etcdStatus(at), `${line} etcd status`],
  ['lists etcd alarms', c.etcdAlarms(at), `${line} etcd alarm list`],
  ['pulls where the installer looks', c.pull(at, image), `${line} image pull --namespace=system ${image}`, true],
  [
    'installs without a reboot',
    c.install(at, image),
    `${line} upgrade --image=${image} --no-reboot --progress=plain`,
    true,
  ],
  [
    'upgrades the old way without waiting',
    c.upgradeLegacy(at, image, false),
    `${line} upgrade --legacy --image=${image} --wait=false --drain=false`,
    true,
  ],
  [
    'skips the check of the node itself only when told to',
    c.upgradeLegacy(at, image, true),
    `${line} upgrade --legacy --image=${image} --wait=false --drain=false --force`,
    true,
  ],
  ['reboots without waiting', c.reboot(at), `${line} reboot --wait=false`, true],
  ['reboots as it is told', c.reboot(at, 'powercycle'), `${line} reboot --mode=powercycle --wait=false`, true],
  ['hands over leadership', c.forfeitLeadership(at), `${line} etcd forfeit-leadership`, true],
  ['takes a snapshot', c.snapshot(at, '/s/a.db'), `${line} etcd snapshot /s/a.db`],
]

for (const [what, { tool, argv, mutates }, is, changes] of rows)
  test(what, () => {
    assert.is([tool, ...argv].join(' '), is)
    assert.is(mutates, changes ?? false)
  })

test.run()
