/** The rules of the layout: which folder may import what, and what is written nowhere. Each is shown able to fail. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, normalize } from 'node:path'
import { type Node, parseSync, Visitor } from 'oxc-parser'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../scripts/cluster/world.ts'
import { createSteps } from '../scripts/steps/steps.ts'
import { testFiles } from './support/test-files.ts'
import { unproved } from './support/unproved.ts'

/** A source file, and what the rules want to know of it; paths are relative to the root, with forward slashes. */
type Source = {
  path: string
  text: string
  /** packages by name, files of ours by path */
  imports: string[]
  /** dotted names of globals that are read or called, like `Date.now` */
  globals: string[]
  propertyNames: string[]
  /** `invoke` objects that say nothing of failure */
  invokesWithoutOnError: number
  callees: string[]
}

/** What a rule has against a file; empty when it may stay as it is. */
type Rule = (source: Source) => string[]

const root = join(import.meta.dirname, '..')

function read(path: string, text: string): Source {
  const { program, module, errors } = parseSync(path, text)
  assert.is(errors.length, 0, `${path} does not parse`)
  const globals: string[] = []
  const propertyNames: string[] = []
  const callees: string[] = []
  const dynamicImports: string[] = []
  let invokesWithoutOnError = 0
  new Visitor({
    MemberExpression: (node) => void globals.push(dotted(node)),
    NewExpression: (node) => void (node.arguments.length === 0 && globals.push(`new ${dotted(node.callee)}`)),
    CallExpression: (node) => {
      callees.push(dotted(node.callee))
      globals.push(dotted(node.callee))
    },
    ImportExpression: (node) =>
      void dynamicImports.push(node.source.type === 'Literal' ? String(node.source.value) : '?'),
    Property: (node) => {
      const name = nameOf(node.key)
      propertyNames.push(name)
      if (name === 'invoke' && lacksOnError(node.value)) invokesWithoutOnError += 1
    },
  }).visit(program)
  const specifiers = [
    ...module.staticImports.map((found) => found.moduleRequest.value),
    ...module.staticExports.flatMap((found) => found.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
    ...dynamicImports,
  ]
  const imports = specifiers.map((name) => (name.startsWith('.') ? normalize(join(path, '..', name)) : name))
  return { path, text, imports, globals: [...new Set(globals)], propertyNames, invokesWithoutOnError, callees }
}

function dotted(node: Node): string {
  if (node.type === 'Identifier') return node.name
  if (node.type === 'MemberExpression' && !node.computed) return `${dotted(node.object)}.${nameOf(node.property)}`
  return '?'
}

const nameOf = (key: Node): string =>
  key.type === 'Identifier' ? key.name : key.type === 'Literal' ? String(key.value) : '?'

const lacksOnError = (node: Node): boolean =>
  node.type === 'ObjectExpression' &&
  !node.properties.some((property) => property.type === 'SpreadElement' || nameOf(property.key) === 'onError')

const within = (folder: RegExp, rule: Rule): Rule => {
  return (source) => (folder.test(source.path) ? rule(source) : [])
}
const isPackage = (name: string, ...packages: string[]): boolean =>
  packages.some((wanted) => name === wanted || name.startsWith(`${wanted}/`))

const pureFolders = /^workflows\/(model|plan|machines)\//
const impureNames =
  /^(process|console|globalThis|performance|crypto)\.|^(Date\.now|Math\.random|new Date|fetch|setTimeout|setInterval|setImmediate|queueMicrotask)$/
// An entry is short because what it does around its own work stands in scripts/cli and in the last ones.
const entryFiles = /^workflows\/[^/]+\.ts$|^scripts\/(cli|view)\/|^scripts\/(demo|toolchain\/get-tools)\.ts$/

/** The help page, and lines that scripts/engine/after-run.ts takes secrets out of. */
const printsWhatIsClean = /^scripts\/(cli\/command|view\/tell-after)\.ts$/

/** When a certificate ends, how old a file or a run is, and the renewTime of the Lease; the heartbeat reads both clocks. */
const timesOfDay: ReadonlySet<string> = new Set([
  'scripts/cluster/kubeconfig.ts',
  'scripts/engine/lease.ts',
  'scripts/engine/left-run.ts',
  'scripts/engine/heartbeat.ts',
  'scripts/engine/lock.ts',
])

/** The names of steps, as literals. */
const steps = new RegExp(`'(${Object.keys(createSteps({} as World)).join('|')})'`, 'g')

const rules: Record<string, Rule> = {
  'the model, the plan and the machines import each other and small pure libraries only': within(
    pureFolders,
    ({ imports }) =>
      imports.filter(
        (name) =>
          !pureFolders.test(name) &&
          !isPackage(name, 'damerau-levenshtein', 'xstate', 'yaml', 'semver', 'ipaddr.js', 'valibot'),
      ),
  ),
  'the model imports neither the plan nor the machines': within(/^workflows\/model\//, ({ imports }) =>
    imports.filter((name) => /^workflows\/(plan|machines)\//.test(name)),
  ),
  'the plan imports no machine': within(/^workflows\/plan\//, ({ imports }) =>
    imports.filter((name) => name.startsWith('workflows/machines/')),
  ),
  'the model, the plan and the machines know no clock, no chance and no process': within(pureFolders, ({ globals }) =>
    globals.filter((name) => impureNames.test(name)),
  ),
  'only what writes down or reads a time of day asks for it; a duration stands on a clock that nobody sets': within(
    /^scripts\//,
    ({ path, globals }) => (timesOfDay.has(path) ? [] : globals.filter((name) => name === 'Date.now')),
  ),
  'only scripts/run.ts imports zx': ({ path, imports }) =>
    path === 'scripts/run.ts' ? [] : imports.filter((name) => isPackage(name, 'zx')),
  'only scripts/view/listr.ts imports listr2': ({ path, imports }) =>
    path === 'scripts/view/listr.ts' ? [] : imports.filter((name) => isPackage(name, 'listr2')),
  'the lab imports nothing of the workflows and the scripts': within(/^lab\//, ({ imports }) =>
    imports.filter((name) => /^(workflows|scripts)\//.test(name)),
  ),
  'only workflows/lab.ts imports the lab': within(/^(workflows|scripts)\//, ({ path, imports }) =>
    path === 'workflows/lab.ts' ? [] : imports.filter((name) => name.startsWith('lab/')),
  ),
  'nothing but tests imports tests': within(/^(workflows|scripts|lab)\//, ({ imports }) =>
    imports.filter((name) => name.startsWith('test/')),
  ),
  'only entry files and views print': within(/^(workflows|scripts|lab)\//, ({ path, globals }) => {
    if (entryFiles.test(path)) return []
    // The daemon of the lab has no terminal: its stderr is its own log file.
    const printing = path.startsWith('lab/') ? /^console\./ : /^console\.|^process\.(stdout|stderr)\.write$/
    return globals.filter((name) => printing.test(name))
  }),
  'what prints takes secrets out': within(/^scripts\/(cli|view|config)\//, ({ path, globals, imports }) => {
    const prints = globals.some((name) => /^process\.(stdout|stderr)\.write$/.test(name))
    const isClean = imports.some((name) => /^scripts\/view\/(redact|event-line)\.ts$/.test(name))
    return !prints || isClean || printsWhatIsClean.test(path) ? [] : ['prints what went through no redaction']
  }),
  'nothing but run, watch and demo lies at the root of scripts': within(/^scripts\/[^/]+$/, ({ path }) =>
    /^scripts\/(run|watch|demo)\.ts$/.test(path) ? [] : ['belongs into a folder'],
  ),
  'only scripts/engine/run-folder.ts knows what .run is called, so that nobody else makes it': within(
    /^(workflows|scripts)\//,
    ({ path, text }) => (path === 'scripts/engine/run-folder.ts' ? [] : (text.match(/'\.run['/]|\/\.run[/`']/g) ?? [])),
  ),
  'the engine knows no verb, no machine and no step by name': within(/^scripts\/engine\//, ({ imports, text }) => [
    ...imports.filter((name) => /^scripts\/steps\/|^workflows\/machines\/(?!(step|summarize)\.ts)/.test(name)),
    ...imports.filter(
      (name) => name.startsWith('workflows/plan/') && existsSync(join(root, 'workflows', basename(name))),
    ),
    ...(text.match(steps) ?? []),
  ]),
  'machines have no timers': within(/^workflows\/machines\//, ({ propertyNames }) =>
    propertyNames.filter((name) => ['after', 'delay', 'delays'].includes(name)),
  ),
  'every invoke of a machine says where failure goes': within(/^workflows\/machines\//, ({ invokesWithoutOnError }) =>
    invokesWithoutOnError > 0 ? [`${invokesWithoutOnError} without onError`] : [],
  ),
  'steps watch and never sleep': within(/^scripts\/steps\//, ({ imports, callees }) => [
    ...imports.filter((name) => /^(node:)?timers/.test(name)),
    ...callees.filter((name) => /^(setTimeout|setInterval|sleep|pause|delay)$/.test(name)),
  ]),
  'every step has a table of its own': within(/^scripts\/steps\/steps\.ts$/, ({ imports }) =>
    imports
      .filter((name) => name.startsWith('scripts/steps/'))
      .map((name) => `test/${name.replace(/\.ts$/, '.test.ts')}`)
      .filter((path) => !existsSync(join(root, path))),
  ),
  'files have kebab-case names that say what is in them': ({ path }) => {
    const [stem = ''] = basename(path).split('.')
    const fits = /^[a-z0-9]+(-[a-z0-9]+)*(\.lab)?((\.full)?\.test)?\.ts$/.test(basename(path))
    return fits && !['utils', 'util', 'helpers', 'helper', 'common', 'index', 'misc'].includes(stem) ? [] : [path]
  },
  'an entry fits on a screen': within(/^workflows\/[^/]+\.ts$/, ({ text }) => {
    const lines = text.trimEnd().split('\n').length
    return lines > 40 ? [`${lines} lines`] : []
  }),
  'a file in two sizes asks for its tier itself, so that both tiers find it': within(/^test\//, ({ path, imports }) =>
    path.endsWith('.test.ts') ? [] : imports.filter((name) => name === 'test/support/in-full.ts'),
  ),
  'a test file registers tests and runs them all': within(/^test\/.*\.test\.ts$/, ({ callees }) => [
    ...(callees.some((name) => /(^|\.)run$/.test(name)) ? [] : ['run() is never called']),
    ...(callees.includes('test') ? [] : ['registers nothing']),
    ...callees.filter((name) => name.endsWith('.only')),
  ]),
}

/** For each rule a path and a text that it must refuse. */
const offenders: { [rule in keyof typeof rules]: [path: string, text: string][] } = {
  'the model, the plan and the machines import each other and small pure libraries only': [
    ['workflows/plan/waves.ts', `import { readFileSync } from 'node:fs'`],
    ['workflows/model/node.ts', `import type { Run } from '../../scripts/run.ts'`],
    ['workflows/machines/node.ts', `export * from '../../lab/lab-node.ts'`],
    ['workflows/machines/node.ts', `const fs = await import('fs')`],
    ['workflows/plan/waves.ts', `import { x } from 'yaml-but-not-really'`],
  ],
  'the model imports neither the plan nor the machines': [
    ['workflows/model/declaration/topology-problems.ts', `import { contractOf } from '../../plan/contract.ts'`],
    ['workflows/model/event.ts', `import type { Subject } from '../machines/step.ts'`],
  ],
  'the plan imports no machine': [['workflows/plan/plan.ts', `import { TURN } from '../machines/phases/turn.ts'`]],
  'the model, the plan and the machines know no clock, no chance and no process': [
    ['workflows/plan/waves.ts', 'export const at = Date.now()'],
    ['workflows/plan/waves.ts', 'export const at = new Date()'],
    ['workflows/model/node.ts', 'export const one = Math.random()'],
    ['workflows/model/node.ts', 'export const home = process.env.HOME'],
    ['workflows/machines/node.ts', 'setTimeout(() => {}, 1)'],
  ],
  'only what writes down or reads a time of day asks for it; a duration stands on a clock that nobody sets': [
    ['scripts/watch.ts', 'const deadline = Date.now() + 1'],
    ['scripts/steps/reboot.ts', 'const now = Date.now'],
  ],
  'only scripts/run.ts imports zx': [
    ['scripts/tools/talosctl.ts', `import { $ } from 'zx'`],
    ['lab/up.ts', `import { $ } from 'zx/core'`],
  ],
  'only scripts/view/listr.ts imports listr2': [['scripts/view/plain.ts', `import { Listr } from 'listr2'`]],
  'the lab imports nothing of the workflows and the scripts': [
    ['lab/check.ts', `import type { Failure } from '../workflows/model/failure.ts'`],
    ['lab/api/apid.ts', `import { run } from '../../scripts/run.ts'`],
  ],
  'only workflows/lab.ts imports the lab': [
    ['workflows/upgrade.ts', `import { labUp } from '../lab/up.ts'`],
    ['scripts/steps/reboot.ts', `import { clock } from '../../lab/clock.ts'`],
  ],
  'nothing but tests imports tests': [['lab/up.ts', `import { startLab } from '../test/support/lab.ts'`]],
  'only entry files and views print': [
    ['scripts/steps/reboot.ts', `console.log('x')`],
    ['scripts/engine/driver.ts', `process.stdout.write('x')`],
    ['scripts/config/secrets/init.ts', `process.stdout.write('x')`],
    ['lab/machine.ts', `console.error('x')`],
  ],
  'what prints takes secrets out': [['scripts/view/print-plan.ts', `process.stdout.write(planText(plan))`]],
  'nothing but run, watch and demo lies at the root of scripts': [['scripts/carry-out.ts', '']],
  'only scripts/engine/run-folder.ts knows what .run is called, so that nobody else makes it': [
    ['scripts/steps/snapshot-etcd.ts', `mkdirSync(join(folder, '.run'))`],
    ['scripts/demo.ts', 'mkdirSync(folder + "/.run/snapshots")'],
  ],
  'the engine knows no verb, no machine and no step by name': [
    ['scripts/engine/carry-out.ts', `import { upgrade } from '../../workflows/plan/upgrade.ts'`],
    ['scripts/engine/carry-out.ts', `import { clusterMachine } from '../../workflows/machines/cluster.ts'`],
    ['scripts/engine/carry-out.ts', `import { createSteps } from '../steps/steps.ts'`],
    ['scripts/engine/orphan.ts', `const left = ['pull-image']`],
  ],
  'machines have no timers': [
    ['workflows/machines/node.ts', 'export const x = { after: { 1000: "late" } }'],
    ['workflows/machines/node.ts', 'export const x = raise({ type: "late" }, { delay: 10 })'],
  ],
  'every invoke of a machine says where failure goes': [
    ['workflows/machines/node.ts', 'export const x = { invoke: { src: "reboot", onDone: "verifying" } }'],
  ],
  'steps watch and never sleep': [
    ['scripts/steps/reboot.ts', `import { setTimeout as wait } from 'node:timers/promises'`],
    ['scripts/steps/reboot.ts', 'await new Promise((resolve) => setTimeout(resolve, 5000))'],
    ['scripts/steps/reboot.ts', 'await sleep(5)'],
  ],
  'every step has a table of its own': [
    ['scripts/steps/steps.ts', `import { dance } from './dance.ts'\nexport const steps = { dance }`],
  ],
  'files have kebab-case names that say what is in them': [
    ['scripts/view/utils.ts', ''],
    ['lab/EtcdMember.ts', ''],
    ['workflows/model/index.ts', ''],
    ['test/lab/snake_case.test.ts', ''],
  ],
  'an entry fits on a screen': [['workflows/upgrade.ts', 'export {}\n'.repeat(41)]],
  'a file in two sizes asks for its tier itself, so that both tiers find it': [
    ['test/support/walk.ts', `import { inFull } from './in-full.ts'`],
  ],
  'a test file registers tests and runs them all': [
    ['test/plan/waves.test.ts', `test('plans', () => {})`],
    ['test/plan/waves.test.ts', 'assert.ok(1); test.run()'],
    ['test/plan/waves.test.ts', `test.only('plans', () => {}); test.run()`],
  ],
}

function sources(): Source[] {
  const argv = ['ls-files', '--cached', '--others', '--exclude-standard', '--', 'workflows', 'scripts', 'lab', 'test']
  const { status, stdout, stderr } = spawnSync('git', argv, { cwd: root, encoding: 'utf8' })
  assert.is(status, 0, stderr)
  const paths = stdout.split('\n').filter((path) => path.endsWith('.ts') && existsSync(join(root, path)))
  return paths.map((path) => read(path, readFileSync(join(root, path), 'utf8')))
}

const tree = sources()

test('the tree that is judged is the whole one', () => {
  for (const folder of ['workflows/plan/', 'scripts/engine/', 'lab/api/', 'test/'])
    assert.ok(
      tree.some(({ path }) => path.startsWith(folder)),
      `nothing found in ${folder}`,
    )
})

for (const [name, rule] of Object.entries(rules)) {
  test(`${name}: kept by every file`, () => {
    assert.equal(
      tree.flatMap((source) => rule(source).map((what) => `${source.path}: ${what}`)),
      [],
    )
  })

  test(`${name}: able to refuse`, () => {
    const bad = offenders[name] ?? []
    assert.ok(bad.length > 0, 'no offender is known')
    for (const [path, text] of bad) assert.ok(rule(read(path, text)).length > 0, `passes in ${path}: ${text}`)
  })
}

const inTest = (tier: 'quick' | 'full') => testFiles(root, tier).map((file) => file.slice('test/'.length))

test('every promise of README.md has its proof in test/README.md, in the tier that is said', () => {
  const [readme, table] = ['README.md', 'test/README.md'].map((path) => readFileSync(join(root, path), 'utf8'))
  assert.equal(unproved(readme ?? '', table ?? '', { quick: inTest('quick'), full: inTest('full') }), [])
})

test('a promise without a proof is told, and a proof that its tier does not run', () => {
  const readme =
    '# x\n\n## What it promises\n\n- It never\n  lies. Nor\n- **Waits** for all\n\n## Other\n\n- no promise\n'
  const rows = (...lines: string[]) =>
    ['| promise | `npm test` | `npm run test:full` |', '|---|---|---|', ...lines].join('\n')
  const files = { quick: ['a.test.ts', 'b.test.ts'], full: ['b.test.ts', 'c.full.test.ts'] }
  const ofTable = (...lines: string[]) => unproved(readme, rows(...lines), files)
  assert.equal(ofTable('| It never lies | `a` | |', '| Waits | `b` | `b`, `c.full` |'), [])
  assert.equal(ofTable('| It never lies | `a` | |'), ['0 rows for: Waits for all'])
  assert.equal(ofTable('| It never lies | `a` | |', '| Waits | `c.full` | `a` |', '| Flies | | |'), [
    'c.full.test.ts is not in the tier of its column: Waits',
    'a.test.ts is not in the tier of its column: Waits',
    'nobody promises: Flies',
    'npm test does not prove: Flies',
  ])
  const gone = unproved(readme, `${rows('| It | `a` | |', '| Waits | `b` | |')}\n\nSee \`gone.test.ts\`.`, files)
  assert.equal(gone, ['gone.test.ts is not there'])
})

test.run()
