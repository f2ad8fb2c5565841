/** A lab that this user may not look at is there all the same. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keepFromGit } from '../../lab/keep-from-git.ts'
import { labCommand } from '../../lab/lab-command.ts'
import { labPaths } from '../../lab/lab-config.ts'

const test = suite<{ folder: string }>("another user's lab")
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'other-lab-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const command = (verb: string, clusterDir: string) => {
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const fault = { cure: false, cureAll: true, list: false }
  return { said, ended: labCommand({ verb, cluster: 'cluster-9', clusterDir, fault, say, complain: say }) }
}

/** As a user who may not look into folders of others: root may everywhere. */
async function asAnother<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(65534)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

for (const verb of ['down', 'status', 'fault', 'log', 'check'])
  test(`lab ${verb}: what this user may not see is not said to be absent`, async ({ folder }) => {
    const { stateDir, config, log } = labPaths(folder)
    mkdirSync(stateDir, { recursive: true })
    for (const file of [config, log]) writeFileSync(file, '{}\n')
    const runs = join(folder, '.run')
    const shut = process.getuid?.() === 0 ? 0o700 : 0
    chmodSync(folder, 0o755)
    chmodSync(runs, shut)
    const thrown = await asAnother(async () => {
      const { said, ended } = command(verb, folder)
      return ended.then(
        (code) => `${code}: ${said}`,
        (error: NodeJS.ErrnoException) => error.code,
      )
    })
    chmodSync(runs, 0o700)
    assert.is(thrown, 'EACCES')
  })

test('where there is none, that is said', async ({ folder }) => {
  for (const [verb, code] of [
    ['down', 0],
    ['status', 69],
    ['log', 69],
    ['check', 69],
  ] as const) {
    const { said, ended } = command(verb, folder)
    assert.is(await ended, code)
    assert.match(said.join(), /^(No lab|There is no log of a lab) of cluster-9/)
  }
})

test('its folder is kept from git by content, and one that says so is not written again', ({ folder }) => {
  const ignore = join(folder, '.gitignore')
  for (const left of ['', '*\n']) {
    writeFileSync(ignore, left)
    keepFromGit(folder)
    assert.is(readFileSync(ignore, 'utf8'), '*\n')
  }
})

test.run()
