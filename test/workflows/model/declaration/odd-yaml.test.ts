/** Files that are YAML hardly, or not at all: told in words of ours, on one line each, and nothing in them moves a terminal. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failureText } from '../../../../scripts/view/failure-text.ts'
import { parseTalenv } from '../../../../workflows/model/declaration/parse-talenv.ts'
import { readYamlDocuments } from '../../../../workflows/model/declaration/yaml-source.ts'
import { failure } from '../../../../workflows/model/failure.ts'
import { problemText } from '../../../../workflows/model/problem.ts'

const ESCAPES = '\\e[31m\\n\\a'

const rows: [what: string, text: string, says: string][] = [
  ['lists in lists without end', '['.repeat(20_000), 'lists and maps are nested too deeply here'],
  ['maps in maps without end', '{a: '.repeat(20_000), 'lists and maps are nested too deeply here'],
  [
    'a second document',
    'a: 1\n---\nb: 2\n',
    'f:2:1: a second document begins here, and only one is read (take this line',
  ],
  ['a zero byte', 'a: 1\nb: x\0y\n', 'f:2:5: here is the control character \\u0000, so this is no YAML'],
  ['an escape as it is', 'a: \x1b[31m', 'f:1:4: here is the control character \\u001b, so this is no YAML'],
  ['one long word', 'x'.repeat(50_000), `f:1:1: the file should be a map, not "${'x'.repeat(79)}…"`],
  ['escapes that are written out', `cluster: "${ESCAPES}"`, 'cluster should be a map, not "\\u001b[31m\\n\\u0007"'],
  ['escapes in a key', '"cluste\\a": {}', 'cluste\\u0007 is not a known key'],
  ['an address of escapes', `nodes: [{ipAddress: "${ESCAPES}"}]`, 'ipAddress "\\u001b[31m\\n\\u0007" is not an IP'],
]

for (const [what, text, says] of rows)
  test(`${what}: ${says.slice(0, 60)}`, () => {
    const parsed = parseTalenv({ talenv: { path: 'f', text } })
    const said = parsed.ok ? [] : parsed.problems.map(problemText)
    assert.ok(
      said.some((line) => line.includes(says)),
      said.join('\n').slice(0, 2_000),
    )
    for (const line of said) {
      assert.not.match(line, /[^\P{Cc}\t]/u)
      assert.ok(line.length < 400, line.slice(0, 500))
    }
  })

test('a patch that is no text is told as such', () => {
  const [source] = readYamlDocuments({ path: 'p', text: 'a: 1\n---\n\x1b' })
  assert.equal(source?.problems.map(problemText), ['p:3:1: here is the control character \\u001b, so this is no YAML'])
})

test('what a failure quotes is shown, and not obeyed by the terminal', () => {
  const detail = 'answers as \x1b]0;x\x07k8s\u202e\nand says so'
  assert.is(failureText(failure('bug', { detail })), 'answers as \\u001b]0;x\\u0007k8s\\u202e\nand says so')
})

test.run()
