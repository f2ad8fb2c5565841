/**
 * What every command loads before it knows its flags: whoever asks for help, or mistypes, waits for nothing else. And what is
 * left to those who need it by those who only look.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { parseSync } from 'oxc-parser'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(import.meta.dirname, '..')

/** All that a file loads by `import`, and what that loads; types are gone by then. */
function loads(path: string, all = new Set<string>()): Set<string> {
  if (all.has(path)) return all
  all.add(path)
  if (!path.endsWith('.ts')) return all
  const { module } = parseSync(path, readFileSync(join(root, path), 'utf8'))
  const imported = module.staticImports
    .filter(({ entries }) => entries.length === 0 || entries.some(({ isType }) => !isType))
    .map(({ moduleRequest }) => moduleRequest.value)
  const passedOn = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest, isType }) => (moduleRequest && !isType ? [moduleRequest.value] : [])),
  )
  for (const name of [...imported, ...passedOn])
    loads(name.startsWith('.') ? normalize(join(path, '..', name)) : name, all)
  return all
}

const entries = readdirSync(join(root, 'workflows')).filter((name) => name.endsWith('.ts'))

/** All that flags and their page of help are made of. */
const LIGHT =
  /^node:|^damerau-levenshtein$|^scripts\/cli\/|^workflows\/model\/(exit-code|failure|nearest|parse-version)\.ts$/

for (const name of entries)
  test(`${name} loads nothing but its flags before they are parsed`, () => {
    const own = `workflows/${name}`
    const heavy = [...loads(own)].filter((path) => path !== own && !LIGHT.test(path))
    assert.equal(heavy, [])
    assert.ok(loads(own).has('scripts/cli/flags.ts'), 'it was not followed')
  })

/** What drives a run, shows it while it goes on, or makes configurations. Journals and locks are read by those who look, too. */
const DRIVES =
  /^(xstate|listr2|ajv|minijinja.*|@peculiar\/.*)$|^scripts\/(steps|config\/template|cluster\/sight)|^scripts\/engine\/(driver|open-run|lease)\.ts$|^workflows\/machines\/(cluster|node)\.ts$/

const lookers: Record<string, readonly string[]> = {
  'a wrong flag': ['scripts/cli/run-command.ts'],
  status: ['scripts/cli/run-command.ts', 'scripts/cli/with-declaration.ts', 'scripts/view/show-status.ts'],
  '--dry-run': [
    'scripts/cli/run-command.ts',
    'scripts/cli/with-declaration.ts',
    'scripts/engine/carry-out.ts',
    'scripts/engine/rehearse.ts',
    'workflows/plan/upgrade.ts',
    'workflows/plan/reboot.ts',
  ],
}

for (const [what, paths] of Object.entries(lookers))
  test(`${what} loads nothing that only a run needs`, () => {
    const all = new Set(paths.flatMap((path) => [...loads(path)]))
    assert.equal(
      [...all].filter((path) => DRIVES.test(path)),
      [],
    )
    for (const path of ['scripts/engine/carry-out-in.ts', 'scripts/cli/compose-crew.ts']) assert.not.ok(all.has(path))
  })

test('what drives a run is known here by its names', () => {
  const all = [...loads('scripts/engine/carry-out-in.ts'), ...loads('scripts/cli/compose-crew.ts')]
  for (const name of [
    'xstate',
    'scripts/engine/driver.ts',
    'scripts/engine/open-run.ts',
    'workflows/machines/cluster.ts',
  ])
    assert.ok(all.includes(name) && DRIVES.test(name), name)
})

test.run()
