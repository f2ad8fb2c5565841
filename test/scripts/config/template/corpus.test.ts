/** One corpus, both engines, and plain python3 with jinja2 as the oracle. What minijinja refuses is a table of its own. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { renderTemplate } from '../../../../scripts/config/template/render-template.ts'
import type { Run } from '../../../../scripts/run.ts'
import type { TemplateOptions } from '../../../../workflows/model/cluster.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { inFull } from '../../../support/in-full.ts'
import { askOracle, type OracleCase, runWithJinja2 } from '../../../support/jinja2.ts'

type Template = {
  name: string
  template: string
  files?: Record<string, string>
  context?: Record<string, unknown>
  options?: string[]
  undefined?: TemplateOptions['undefined']
  /** minijinja's reason, where Jinja2 renders it */
  refused?: string
  /** a mistake for both */
  fails?: true | string
  /** for helpers, which the oracle does not have */
  gives?: string
}

const fixtures = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'templates')
const read = (name: string) => parse(readFileSync(join(fixtures, name), 'utf8'))
const corpus: { context: Record<string, unknown>; templates: Template[] } = read('corpus.yaml')
const expressions: { context: Record<string, unknown>; same: string[] } = read('expressions.yaml')
type Row = { template: string; says: string[] }
const differences: { refused: Row[]; wrong: Row[] } = read('differences.yaml')

const run = await runWithJinja2()

const caseOf = (
  files: Record<string, string>,
  context: unknown,
  letters = 'k',
  undefinedIs: TemplateOptions['undefined'] = 'strict',
): OracleCase => ({
  files,
  path: 'main.j2',
  context,
  trimBlocks: letters.includes('t'),
  lstripBlocks: letters.includes('l'),
  keepTrailingNewline: letters.includes('k'),
  undefined: undefinedIs,
})

async function render(
  one: OracleCase,
  engine: TemplateOptions['engine'],
  by: Run = run,
): Promise<{ text: string } | { says: string[] }> {
  const root = mkdtempSync(join(tmpdir(), 'templates-'))
  try {
    for (const [name, text] of Object.entries(one.files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    const { trimBlocks, lstripBlocks, keepTrailingNewline } = one
    const options = {
      ...defaultOperations.templates,
      engine,
      trimBlocks,
      lstripBlocks,
      keepTrailingNewline,
      undefined: one.undefined,
    }
    const context = one.context as Record<string, unknown>
    const result = await renderTemplate({ root, path: one.path, context, options, run: by })
    if (result.ok) return { text: result.rendered.text }
    return {
      says: result.problems.map(({ file, line, col, message, hint }) => {
        const name = file === join(root, 'main.j2') ? '' : `${file.slice(root.length + 1)}:`
        return `${name}${line}:${col}: ${message}${hint ? ` (${hint})` : ''}`
      }),
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const rows = corpus.templates.flatMap((row) =>
  (row.options ?? ['k', 'tlk']).map((letters) => ({
    row,
    letters,
    asked: caseOf(
      { ...row.files, 'main.j2': row.template },
      { ...corpus.context, ...row.context },
      letters,
      row.undefined,
    ),
  })),
)

test('the corpus holds more than a hundred templates', () => {
  assert.ok(corpus.templates.length >= 100)
  assert.is(new Set(corpus.templates.map(({ name }) => name)).size, corpus.templates.length)
})

test('minijinja gives what Jinja2 gives, or refuses', async () => {
  const answers = await askOracle(
    run,
    rows.map(({ asked }) => asked),
  )
  for (const [index, { row, letters, asked }] of rows.entries()) {
    const what = `${row.name} [${letters}]`
    const answer = answers[index]
    const result = await render(asked, 'minijinja')
    if (row.gives !== undefined) assert.equal(result, { text: row.gives }, what)
    else if (row.refused !== undefined) {
      assert.ok(answer && 'text' in answer, what)
      assert.equal(result, { says: [row.refused] }, what)
    } else if (row.fails !== undefined) {
      assert.ok(answer && 'error' in answer, what)
      assert.ok('says' in result, what)
      if (row.fails !== true) assert.equal(result, { says: [row.fails] }, what)
    } else assert.equal(result, answer, what)
  }
})

test('the jinja2 engine gives what Jinja2 gives', async () => {
  const first = rows
    .filter(({ row, letters }) => letters === (row.options ?? ['k', 'tlk']).at(-1))
    // each of them starts python3
    .filter((_, index) => inFull || index % 4 === 0)
  const answers = await askOracle(
    run,
    first.map(({ asked }) => asked),
  )
  const check = async ({ row, asked }: (typeof first)[number], index: number) => {
    const answer = answers[index]
    const result = await render(asked, 'jinja2')
    if (row.gives !== undefined) assert.equal(result, { text: row.gives }, row.name)
    else if (answer && 'text' in answer) assert.equal(result, answer, row.name)
    else assert.ok('says' in result, row.name)
  }
  for (let at = 0; at < first.length; at += 4)
    await Promise.all(first.slice(at, at + 4).map((one, offset) => check(one, at + offset)))
})

test('construct by construct, minijinja gives what Jinja2 gives', async () => {
  const asked = expressions.same.map((template) => caseOf({ 'main.j2': template }, expressions.context))
  const answers = await askOracle(run, asked)
  assert.ok(asked.length > 600)
  for (const [index, one] of asked.entries())
    assert.equal(await render(one, 'minijinja'), answers[index], one.files['main.j2'] ?? '')
})

for (const [kind, table] of Object.entries(differences))
  test(`the table of differences, ${kind} by Jinja2 or not, says what it says`, async () => {
    const asked = table.map(({ template }) => caseOf({ 'main.j2': template }, expressions.context))
    const answers = await askOracle(run, asked)
    for (const [index, one] of asked.entries()) {
      const { template = '', says = [] } = table[index] ?? {}
      assert.is(Object.keys(answers[index] ?? {})[0], kind === 'refused' ? 'text' : 'error', template)
      assert.equal(await render(one, 'minijinja'), { says }, template)
    }
  })

test.run()
