import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { TestLab } from './lab.ts'
import type { UpgradeRun } from './upgrade-run.ts'

/** Every command that the run proposes can be typed: talosctl knows it, and node and talosconfig are the lab's. */
export async function assertTypable(lab: TestLab, { finished }: UpgradeRun): Promise<void> {
  const texts = [finished.next, ...finished.failures.map(({ hint }) => hint)].filter((text) => text !== undefined)
  assert.ok(finished.next, 'a run that failed proposes nothing')
  for (const text of texts.filter((t) => t.includes('talosctl'))) {
    const [, talosconfig = '', address = '', command = ''] =
      /^talosctl --talosconfig (\S+) -n (\S+) ([^#]+?)(?: #.*)?$/.exec(text) ?? []
    assert.is(talosconfig, join(lab.clusterDir, 'talosconfig'), text)
    assert.ok(Object.values(lab.addresses).includes(address), text)
    const { stdout } = await lab.talosctl([...command.split(' '), '--help'])
    // for what it does not know it shows the help of what stands above it
    assert.match(stdout, /^Usage:\n {2}talosctl (?!.*\[command\])/m, text)
  }
}
