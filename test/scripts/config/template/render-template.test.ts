/** What is said of mistakes in templates, what may be read, where lines come from, and that no value is ever told. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { renderTemplate } from '../../../../scripts/config/template/render-template.ts'
import { createRun, type Run } from '../../../../scripts/run.ts'
import type { TemplateOptions } from '../../../../workflows/model/cluster.ts'
import { problemText } from '../../../../workflows/model/problem.ts'
import { commandResult } from '../../../support/command-result.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { runWithJinja2 } from '../../../support/jinja2.ts'

const run = await runWithJinja2()
const root = mkdtempSync(join(tmpdir(), 'templates-'))
const canary = 'canary-5e2b9c1f'
const context = {
  clusterName: 'cluster-101',
  token: canary,
  nodes: [
    { hostname: 'k8s-1', ipAddress: '10.0.0.11', secret: canary },
    { hostname: 'k8s-2', ipAddress: '10.0.0.12', secret: canary },
  ],
  byHost: { 'k8s-1': 1, 'k8s-2': 2 },
  number: 7,
}

function write(files: Record<string, string>): void {
  rmSync(root, { recursive: true, force: true })
  for (const [name, text] of Object.entries({ 'main.j2': '', ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}

async function render(options: Partial<TemplateOptions> = {}, by: Run = run, given: Record<string, unknown> = context) {
  return renderTemplate({
    root,
    path: 'main.j2',
    context: given,
    options: { ...defaultOperations.templates, ...options },
    run: by,
  })
}

/** What is said of a template, with the folder of the test taken off. */
async function said(
  files: Record<string, string> | string,
  options: Partial<TemplateOptions> = {},
  by?: Run,
): Promise<string> {
  write(typeof files === 'string' ? { 'main.j2': files } : files)
  const result = await render(options, by)
  assert.not(result.ok, 'it rendered')
  return result.ok
    ? ''
    : result.problems.map(problemText).join('\n').replaceAll(`${root}/`, '').replaceAll(root, 'ROOT')
}

/** Template → what minijinja says → what the jinja2 engine says, where that is other words. */
const mistakes: [files: Record<string, string> | string, minijinja: string, jinja2?: string][] = [
  ['a\n  b: {{ clusterNam }}\n', "main.j2:2:9: 'clusterNam' is undefined (did you mean clusterName?)"],
  [
    '{% for node in nodes %}\n- {{ node.hostname }}\n  {{ node.ipAdress }}\n{% endfor %}\n',
    "main.j2:3:6: 'node.ipAdress' is undefined (did you mean node.ipAddress?)",
  ],
  [
    '{{ nodes[0].hostnam | upper }}\n',
    "main.j2:1:4: 'nodes[0].hostnam' is undefined (did you mean nodes[0].hostname?)",
  ],
  [
    "{{ byHost['k8s-3'] }}\n",
    "main.j2:1:4: 'byHost['k8s-3']' is undefined (did you mean byHost['k8s-1']?)",
    'main.j2:1:1: a value is undefined here',
  ],
  ['{{ byHost[token] }}\n', "main.j2:1:4: 'byHost[token]' is undefined", 'main.j2:1:1: a value is undefined here'],
  ["{% if nodes[0].nope == 'x' %}{% endif %}\n", "main.j2:1:7: 'nodes[0].nope' is undefined"],
  ['{{ missing.deeper.still }}\n', "main.j2:1:4: 'missing' is undefined"],
  [
    'x\n{{ clusterName | uper }}\n',
    "main.j2:2:18: no filter is called 'uper' (did you mean upper?)",
    "main.j2:2:18: no filter is called 'uper'",
  ],
  [
    '{{ number is od }}\n',
    "main.j2:1:14: no test is called 'od' (did you mean odd?)",
    "main.j2:1:14: no test is called 'od'",
  ],
  [
    '{{ nthost(clusterName, 1) }}\n',
    "main.j2:1:4: no function is called 'nthost' (did you mean nthhost?)",
    "main.j2:1:4: 'nthost' is undefined (did you mean nthhost?)",
  ],
  [
    'a\n{% for node in nodes %}\nb\n',
    "main.j2:2:1: unexpected end of template; expected else or endfor to close 'for'",
    "main.j2:2:4: unexpected end of template. Jinja was looking for the following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'",
  ],
  [
    '{% if number %}\n{% endfor %}\n',
    "main.j2:2:4: 'endfor' belongs to no open tag; expected elif, else or endif to close 'if'",
    "main.j2:2:4: encountered unknown tag 'endfor'. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'",
  ],
  [
    '{% fro node in nodes %}\n',
    "main.j2:1:4: no tag is called 'fro' (did you mean 'for'?)",
    "main.j2:1:4: encountered unknown tag 'fro'",
  ],
  [
    'a: {{ clusterName\n',
    "main.j2:1:4: unexpected end of template; expected '}}' to close the tag",
    "main.j2:1:7: unexpected end of template, expected 'end of print statement'",
  ],
  [
    '{{ 1 + }}\n',
    'main.j2:1:8: unexpected end of the tag; expected an expression',
    "main.j2:1:4: unexpected 'end of print statement'",
  ],
  ['{{ nodes[0) }}\n', "main.j2:1:11: unexpected ')'; expected ']'", "main.j2:1:4: unexpected ')', expected ']'"],
  ['ä {{ "open }}\n', 'main.j2:1:6: this string is never closed', "main.j2:1:6: unexpected char '\"' at 5"],
  [
    '{{ "x" | cidr_host(1) }}\n',
    'main.j2:1:10: cidr_host: the value is no network',
    'main.j2:1:4: cidr_host: the value is no network',
  ],
  [
    '{{ token | cidr_host(1) }}\n',
    'main.j2:1:12: cidr_host: the value is no network',
    'main.j2:1:4: cidr_host: the value is no network',
  ],
  [
    '{{ token | from_json }}\n',
    'main.j2:1:12: from_json: the value is no JSON',
    'main.j2:1:4: from_json: the value is no JSON',
  ],
  [
    '{{ nodes | b64encode }}\n',
    'main.j2:1:12: b64encode takes a string, and this is a list',
    'main.j2:1:4: b64encode takes a string, and this is a list',
  ],
  [
    "{{ token | regex_replace('(', '') }}\n",
    'main.j2:1:12: regex_replace: the pattern is no regular expression',
    'main.j2:1:4: regex_replace: the pattern is no regular expression',
  ],
  [
    '{{ token + 1 }}\n',
    "main.j2:1:4: string and integer have no '+'",
    'main.j2:1:4: can only concatenate str (not "int") to str',
  ],
  [
    '{{ token < 1 }}\n',
    'main.j2:1:4: string and integer have no order',
    "main.j2:1:4: '<' not supported between instances of 'str' and 'int'",
  ],
  [
    '{% for x in number %}{% endfor %}\n',
    'main.j2:1:13: integer is not iterable',
    "main.j2:1:4: 'int' object is not iterable",
  ],
  ['{{ number // 0 }}\n', 'main.j2:1:4: division by zero'],
  ['{{ token.index("z") }}\n', 'main.j2:1:10: index(): substring not found', 'main.j2:1:4: Python raised ValueError'],
  [
    '{{ "%d" % token }}\n',
    'main.j2:1:9: %d format: a real number is required, not string',
    'main.j2:1:4: %d format: a real number is required, not str',
  ],
  [
    'x\n{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}\n',
    'main.j2:2:19: the template calls itself without end',
    'main.j2:2:4: the template calls itself without end',
  ],
  [{ 'main.j2': "{% include 'main.j2' %}\n" }, 'main.j2:1:4: the template calls itself without end'],
  ["\n  {% include 'gone.j2' %}\n", "main.j2:2:14: there is no template 'gone.j2' in ROOT"],
  ["{% import '../outside.j2' as o %}\n", "main.j2:1:11: '../outside.j2' is outside of ROOT"],
  [
    "{% extends '/etc/hostname' %}\n",
    "main.j2:1:12: there is no template '/etc/hostname' in ROOT",
    "main.j2:1:12: '/etc/hostname' is outside of ROOT",
  ],
  [
    { 'main.j2': "a\n{% include 'p/q.j2' %}\n", 'p/q.j2': 'one\n  {{ nodes[0].sekret }}\n' },
    "p/q.j2:2:6: 'nodes[0].sekret' is undefined (did you mean nodes[0].secret?)",
  ],
  [
    { 'main.j2': "a\n{% include 'p/q.j2' %}\n", 'p/q.j2': '{% endif %}\n' },
    "p/q.j2:1:4: 'endif' belongs to no open tag",
    "p/q.j2:1:4: encountered unknown tag 'endif'",
  ],
  [
    "{% include '../' ~ token %}\n",
    "main.j2:1:12: 'include' of a name that is worked out can not be checked before it is rendered (`engine: jinja2` in operations.yaml renders it)",
    'main.j2:1:4: what is included is outside of ROOT',
  ],
]

const test = suite('render-template')
test.after(() => rmSync(root, { recursive: true, force: true }))

for (const [files, minijinja, jinja2 = minijinja] of mistakes) {
  const name = JSON.stringify(typeof files === 'string' ? files : files['main.j2'])
  test(`minijinja says what is wrong with ${name}`, async () => {
    const text = await said(files)
    assert.is(text, minijinja)
    assert.not.ok(text.includes(canary))
  })
  test(`the jinja2 engine says what is wrong with ${name}`, async () => {
    const text = await said(files, { engine: 'jinja2' })
    assert.is(text, jinja2)
    assert.not.ok(text.includes(canary))
  })
}

test('every mistake of a template is said at once', async () => {
  assert.is(
    await said('{{ a | nope }}\n{{ b.nope() }}\n{% do x %}\n'),
    [
      "main.j2:1:8: no filter is called 'nope'",
      "main.j2:2:6: the method 'nope' is not known here (`engine: jinja2` in operations.yaml renders it)",
      "main.j2:3:4: 'do' is not rendered alike by both engines (write 'set ns.x = …' with a namespace; `engine: jinja2` in operations.yaml renders it)",
    ].join('\n'),
  )
})

test('a link that leads out of the root is outside', async () => {
  for (const engine of ['minijinja', 'jinja2'] as const) {
    write({ 'main.j2': "{% include 'link.j2' %}\n" })
    symlinkSync('/etc/passwd', join(root, 'link.j2'))
    const result = await render({ engine })
    assert.not(result.ok)
    if (!result.ok) assert.match(result.problems.map(problemText).join(), /main\.j2:1:12: 'link\.j2' is outside of/)
  }
})

test('a link within the root is read', async () => {
  write({ 'main.j2': "{% include 'link.j2' %}", 'real.j2': 'real' })
  symlinkSync('real.j2', join(root, 'link.j2'))
  const result = await render()
  assert.is(result.ok && result.rendered.text, 'real')
})

test('a template of that name may hold values that need no quotes', async () => {
  write({ 'part.yaml': 'name: {{ clusterName }} "{{ token | length }}" <&>', 'main.j2': "{% include 'part.yaml' %}" })
  const result = await render()
  assert.is(result.ok && result.rendered.text, `name: cluster-101 "${canary.length}" <&>`)
})

test('minijinja refuses other delimiters, and jinja2 has them', async () => {
  const delimiters: TemplateOptions['delimiters'] = {
    block: ['#%', '%#'],
    variable: ['#{', '}#'],
    comment: ['#|', '#|'],
  }
  const template = '#| a comment #|\n#% for node in nodes %#\n- "#{ node.hostname }#" {{ x }}\n#% endfor %#\n'
  assert.is(
    await said(template, { delimiters }),
    'main.j2:1:1: minijinja knows no delimiters but its own (set `engine: jinja2` in operations.yaml)',
  )
  const result = await render({ delimiters, engine: 'jinja2', trimBlocks: true, lstripBlocks: true })
  assert.ok(result.ok)
  if (!result.ok) return
  assert.is(result.rendered.text, '- "k8s-1" {{ x }}\n- "k8s-2" {{ x }}\n')
  assert.equal(await result.rendered.origin(2), { path: 'main.j2', line: 3 })
})

test('a loop without an end is stopped', async () => {
  const loop = '{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}\n'
  assert.is(await said(loop), 'main.j2:1:4: the template takes too long (a loop in it may not end)')
  const late: Run = async () => commandResult({ ended: { by: 'deadline' } })
  assert.is(
    await said(loop, { engine: 'jinja2' }, late),
    'main.j2:1:1: the template takes longer than 30 s (a loop in it may not end)',
  )
})

test('a machine without python3, or whose python3 has no jinja2, is told what to install', async () => {
  const none = createRun({ paths: { python3: join(root, 'no-python3') }, env: process.env })
  assert.is(
    await said('x', { engine: 'jinja2' }, none),
    'main.j2:1:1: python3 is not there, and `engine: jinja2` needs it (install python3, then pip install jinja2)',
  )
  // -S leaves out the folders that packages are installed to.
  const bare: Run = (command, options) => run({ ...command, argv: ['-S', ...command.argv] }, options)
  assert.is(
    await said('x', { engine: 'jinja2' }, bare),
    'main.j2:1:1: python3 has no jinja2, and `engine: jinja2` needs it (pip install jinja2)',
  )
})

test('nothing of the context is in what python3 is started with', async () => {
  write({ 'main.j2': '{{ token }}' })
  const commands: string[] = []
  const result = await render({ engine: 'jinja2' }, (command, options) => {
    commands.push(JSON.stringify(command.argv))
    return run(command, options)
  })
  assert.is(result.ok && result.rendered.text, canary)
  assert.is(commands.length, 1)
  assert.not.ok(commands.join().includes(canary))
})

const originTemplate = {
  'main.j2':
    "clusterName: {{ clusterName }}\n{% import 'lib.j2' as lib %}\nnodes:\n{%- for node in nodes %}\n  - hostname: {{ node.hostname }}\n{{ lib.line(node.hostname) }}\n{%- endfor %}\n{% include 'sub/part.j2' %}\n{{ number }}\n",
  'lib.j2': '{% macro line(name) %}\n    of: {{ name }}\n{%- endmacro %}\n',
  'sub/part.j2': '# part\n{{ byHost | to_yaml }}\nend: true\n',
}

test('a line of the output is led back to the template and the line that it came from', async () => {
  for (const engine of ['minijinja', 'jinja2'] as const) {
    write(originTemplate)
    const result = await render({ engine })
    assert.ok(result.ok)
    if (!result.ok) return
    const { rendered } = result
    const lines = rendered.text.split('\n')
    const from = async (text: string) => {
      const found = await rendered.origin(lines.indexOf(text) + 1)
      return found && `${found.path}:${found.line}`
    }
    assert.is(await from('clusterName: cluster-101'), 'main.j2:1')
    assert.is(await from('nodes:'), 'main.j2:3')
    assert.is(await from('  - hostname: k8s-2'), 'main.j2:5')
    assert.is(await from('    of: k8s-2'), 'lib.j2:2')
    assert.is(await from('# part'), 'sub/part.j2:1')
    assert.is(await from('k8s-2: 2'), 'sub/part.j2:2')
    assert.is(await from('end: true'), 'sub/part.j2:3')
    assert.is(await from('7'), 'main.j2:9')
  }
})

test('where marks would change the output, nothing is said of where it came from', async () => {
  for (const engine of ['minijinja', 'jinja2'] as const) {
    write({ 'main.j2': '{% set text %}abc{% endset %}\n{{ text | length }}\n' })
    const result = await render({ engine })
    assert.ok(result.ok)
    if (result.ok) assert.is(await result.rendered.origin(2), undefined)
  }
})

test('a talconfig of five hundred nodes is rendered', async () => {
  write({
    'main.j2':
      'nodes:\n{% for node in nodes %}\n  - hostname: {{ node.hostname }}\n    ipAddress: {{ node.ipAddress }}\n    controlPlane: {{ node.controlPlane | lower }}\n{% if node.labels %}\n    nodeLabels:\n{% for key, value in node.labels.items() %}\n      {{ key }}: "{{ value }}"\n{% endfor %}\n{% endif %}\n{% endfor %}\n# {{ nodes | selectattr(\'controlPlane\') | list | length }}\n',
  })
  const nodes = Array.from({ length: 500 }, (_, index) => ({
    hostname: `node-${index}`,
    ipAddress: `10.0.${index >> 8}.${index & 255}`,
    controlPlane: index < 3,
    labels: { zone: `z${index % 3}`, rack: String(index), arch: 'amd64' },
  }))
  const result = await render({ trimBlocks: true, lstripBlocks: true }, run, { nodes })
  assert.ok(result.ok)
  if (!result.ok) return
  const lines = result.rendered.text.split('\n')
  assert.is(lines.filter((line) => line.startsWith('  - hostname: ')).length, 500)
  assert.is(lines.at(-2), '# 3')
  assert.equal(await result.rendered.origin(lines.indexOf('  - hostname: node-499') + 1), { path: 'main.j2', line: 3 })
})

test.run()
