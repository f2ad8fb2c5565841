import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readExtensions, readKernelCmdline } from '../../../scripts/tools/talosctl/specs.ts'
import {
  argumentChange,
  extraArguments,
  kernelArgumentObjection,
  lostArguments,
  unknownArgumentsNote,
} from '../../../workflows/plan/kernel-arguments.ts'

const own =
  'BOOT_IMAGE=/A/vmlinuz talos.platform=metal console=ttyS0 console=tty0 init_on_alloc=1 slab_nomerge= pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on ima_template=ima-ng selinux=1 module.sig_enforce=1 proc_mem.force_override=never'
const quirk = 'usb-storage.quirks=04e8:61f5:u'

test('tells what somebody asked for from what Talos writes', () => {
  assert.equal(extraArguments(own, 'metal'), [])
  assert.equal(extraArguments(`${own} ${quirk} net.ifnames=0 selinux=0`, 'metal'), [
    quirk,
    'net.ifnames=0',
    'selinux=0',
  ])
  assert.equal(extraArguments(`${own} net.ifnames=0`, 'hcloud'), [])
  assert.equal(extraArguments('dyndbg="file a.c +p" quiet', 'metal'), ['dyndbg="file a.c +p"', 'quiet'])
})

const running = (more: object = {}) => ({
  kernelCmdline: `${own} ${quirk}`,
  platform: 'metal',
  schematic: 'x'.repeat(64),
  extensions: ['iscsi-tools'],
  ...more,
})
const same = 'x'.repeat(64)
const other = 'y'.repeat(64)

const rows: readonly [what: string, lost: string[], running: object, next: Parameters<typeof lostArguments>[1]][] = [
  // siderolabs/talos#13967: machine.install.extraKernelArgs, which the lifecycle API leaves behind
  ['of the configuration', [quirk], {}, { schematic: same, path: 'lifecycle' }],
  ['of the configuration, below 1.13', [], {}, { schematic: same, path: 'legacy', configured: [quirk] }],
  ['that are in nothing, below 1.13', [quirk], {}, { schematic: same, path: 'legacy', configured: ['quiet'] }],
  ['that are in nothing that could be read, below 1.13', [], {}, { schematic: same, path: 'legacy' }],
  [
    'of a schematic that goes, below 1.13, though they are in the configuration',
    [quirk],
    { schematicArguments: [quirk] },
    { schematic: other, path: 'legacy', configured: [quirk] },
  ],
  ['of the schematic that stays', [], { schematicArguments: [quirk] }, { schematic: same, path: 'lifecycle' }],
  ['of a schematic that goes', [quirk], { schematicArguments: [quirk] }, { schematic: other, path: 'lifecycle' }],
  [
    'of a schematic that goes, below 1.13',
    [quirk],
    { schematicArguments: [quirk] },
    { schematic: other, path: 'legacy' },
  ],
  ['that are declared', [], {}, { schematic: other, declared: [quirk], path: 'lifecycle' }],
  ['that nobody can read', [], { kernelCmdline: undefined }, { schematic: other, path: 'lifecycle' }],
  [
    'whose secret is not shown',
    [],
    {
      kernelCmdline: readKernelCmdline({
        node: 'a',
        id: 'cmdline',
        spec: { cmdline: 'siderolink.api=https://x?jointoken=abc' },
      }),
    },
    { schematic: other, declared: ['siderolink.api=https://x?jointoken=abc'], path: 'lifecycle' },
  ],
]
for (const [what, lost, more, next] of rows)
  test(`arguments ${what}: ${lost.length > 0 ? 'lost' : 'kept'}`, () =>
    assert.equal(lostArguments(running(more) as never, next), lost))

test('says which arguments it does not know of, below 1.13 and where the configuration could not be read', () => {
  const next = { schematic: same, path: 'legacy' } as const
  assert.match(
    unknownArgumentsNote('a', running(), next).join(),
    `a runs with ${quirk}, which the upgrade keeps only where`,
  )
  assert.equal(unknownArgumentsNote('a', running(), { ...next, configured: [] }), [])
  assert.equal(unknownArgumentsNote('a', running(), { ...next, path: 'lifecycle' }), [])
  assert.equal(unknownArgumentsNote('a', running({ kernelCmdline: own }), next), [])
})

test('prints the schematic that keeps what would be lost', () => {
  const [why] = kernelArgumentObjection(running({ schematicArguments: ['quiet'] }), {
    schematic: same,
    path: 'lifecycle',
  })
  assert.is(why?.reason, 'kernel-argument-loss')
  assert.match(why?.detail ?? '', quirk)
  assert.match(
    why?.hint ?? '',
    `{customization: {extraKernelArgs: ["quiet", "${quirk}"], systemExtensions: {officialExtensions: ["siderolabs/iscsi-tools"]}}}`,
  )
})

test('names a command line that came back different', () => {
  assert.is(argumentChange([quirk], `${own} ${quirk}`), undefined)
  assert.match(argumentChange([quirk], own) ?? '', `without ${quirk}`)
  assert.match(argumentChange([], `${own} quiet`) ?? '', 'with quiet')
  assert.is(argumentChange([], `${own} net.ifnames=0`), undefined)
  assert.is(argumentChange(undefined, `${own} quiet`), undefined)
  assert.is(argumentChange([quirk], undefined), undefined)
})

test('reads the arguments of the running schematic, and hides what may open something', () => {
  const extension = (extraInfo: string) => ({
    node: 'a',
    id: '0',
    spec: { metadata: { name: 'schematic', version: 's', extraInfo } },
  })
  const content = `customization:\n    extraKernelArgs:\n        - ${quirk}\n        - x=https://h?jointoken=abc\n`
  assert.equal(readExtensions([extension(content)])?.schematicArguments, [quirk, 'x=https://h?jointoken=…'])
  assert.equal(readExtensions([extension('customization: {}\n')])?.schematicArguments, [])
  assert.is(readExtensions([extension('[')])?.schematicArguments, undefined)
})

test.run()
