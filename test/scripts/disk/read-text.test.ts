/** What lies where a person's file belongs, and can not be one: told in a sentence, and never waited for. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubeconfig } from '../../../scripts/cluster/kubeconfig.ts'
import { readForeignSecrets } from '../../../scripts/config/secrets/read-foreign-secrets.ts'
import { renderTemplate } from '../../../scripts/config/template/render-template.ts'
import { failureOfDisk } from '../../../scripts/disk/on-disk.ts'
import { readText } from '../../../scripts/disk/read-text.ts'
import { createRun } from '../../../scripts/run.ts'
import { readTalosconfig } from '../../../scripts/tools/talosctl/talosconfig.ts'
import { isTypable } from '../../support/is-typable.ts'

const folder = mkdtempSync(join(tmpdir(), 'read text '))
const file = join(folder, 'file')
test.after(() => rmSync(folder, { recursive: true }))
test.before.each(() => rmSync(file, { force: true }))

const rows: [what: string, make: () => unknown, says: string][] = [
  ['a pipe', () => execFileSync('mkfifo', [file]), 'is no regular file, and one is wanted'],
  ['a link to a device', () => symlinkSync('/dev/zero', file), 'is no regular file, and one is wanted'],
  ['a link to itself', () => symlinkSync(file, file), 'is a symbolic link that leads back to itself (ELOOP)'],
  ['more than any text', () => writeFileSync(file, '') ?? truncateSync(file, 2 ** 32), 'is larger than 32 MiB'],
  ['UTF-16', () => writeFileSync(file, Buffer.from('\ufeffa: 1', 'utf16le')), ':1:1: this is no text in UTF-8'],
  ['Latin-1', () => writeFileSync(file, Buffer.from('a: 1\nb: ü\n', 'latin1')), ':2:4: this is no text in UTF-8'],
]

for (const [what, make, says] of rows)
  test(`${what} is told where a file is wanted, with what to type`, () => {
    make()
    try {
      readText(file)
    } catch (error) {
      const { detail = '', hint = '' } = failureOfDisk(error, 'declaration-invalid') ?? {}
      assert.is(detail.replace(file, '').trim(), says)
      assert.ok(hint.includes(`'${folder}`) && isTypable(hint), hint)
      return
    }
    assert.unreachable('it was read')
  })

test('text is read as it is, also with the sign that stands for what is none', () => {
  writeFileSync(file, '\ufeffa: "\ufffd"\n')
  assert.is(readText(file), '\ufeffa: "\ufffd"\n')
  assert.is(readText('/dev/null'), '')
})

test('what the shell hands over open is read', () => {
  const source = `import { readText } from './scripts/disk/read-text.ts'; process.stdout.write(readText(process.argv[1]))`
  const line = `"$0" --import tsx --input-type=module -e "$1" <(echo 'a: 1')`
  const { stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, source], { encoding: 'utf8' })
  assert.is(stdout, 'a: 1\n', stderr)
})

test('no reader of what persons write waits for somebody who writes into a pipe', async () => {
  execFileSync('mkfifo', [file])
  const run = createRun({ paths: {}, env: process.env })
  const options = { engine: 'minijinja', trimBlocks: false, lstripBlocks: false, keepTrailingNewline: true } as const
  const render = (engine: 'minijinja' | 'jinja2') =>
    renderTemplate({
      ...{ root: folder, path: 'file', context: {}, run },
      options: { ...options, engine, undefined: 'strict' },
    })
  const kubeconfig = createKubeconfig({
    ...{ talos: {} as never, controlPlanes: [], runFolder: join(folder, '.run'), timeoutMs: 1 },
    given: file,
  })
  const secrets = { paths: {}, env: process.env } as never
  for (const read of [
    readTalosconfig(file),
    await readForeignSecrets(file, secrets),
    await kubeconfig({ refused: false }),
  ]) {
    const [why] = read.ok ? [] : [read.failure].flat()
    assert.match(why?.detail ?? '', 'is no regular file')
  }
  for (const engine of ['minijinja', 'jinja2'] as const) {
    const rendered = await render(engine)
    assert.match(
      rendered.ok ? '' : (rendered.problems[0]?.message ?? ''),
      /is no regular file|there is no template|jinja2/,
    )
  }
})

/** What these read, this program or a tool that it started has just written. */
const READ_OWN = [
  'scripts/config/generate.ts',
  'scripts/config/placing/compare-placed.ts',
  'scripts/config/placing/placed-before.ts',
]

test('whatever else belongs to a declaration is read by readText', () => {
  const root = join(import.meta.dirname, '..', '..', '..')
  const others = ['scripts/declaration', 'scripts/config', 'scripts/tools'].flatMap((below) =>
    readdirSync(join(root, below), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${below}/${name}`)
      .filter((name) => /\breadFileSync\b/.test(readFileSync(join(root, name), 'utf8'))),
  )
  assert.equal(others.sort(), READ_OWN)
})

test.run()
