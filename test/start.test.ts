/** What every command loads before it knows its flags: whoever asks for help, or mistypes, waits for nothing else. */
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

test.run()
