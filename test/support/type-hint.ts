import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import * as assert from 'uvu/assert'
import { type TestLab, toolPath } from './lab.ts'

/** Types a hint as it was printed, with the tools on PATH; resolves to what it shows. */
export async function typeHint(lab: TestLab, hint: string): Promise<string> {
  const tools = [dirname(await toolPath('kubectl')), dirname(lab.tools.talosctl)].join(':')
  const { status, stdout, stderr } = spawnSync('sh', ['-c', hint], {
    cwd: lab.dir,
    env: { ...process.env, PATH: `${tools}:${process.env.PATH}` },
    encoding: 'utf8',
  })
  assert.is(status, 0, `${hint}: ${stderr}`)
  return stdout
}
