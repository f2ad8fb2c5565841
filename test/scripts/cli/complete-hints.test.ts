import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { completeHints } from '../../../scripts/cli/complete-hints.ts'
import { shellWord } from '../../../scripts/cli/shell-word.ts'
import { workflowCommand } from '../../../scripts/cli/workflow-command.ts'
import { packageRoot } from '../../../scripts/declaration/layout.ts'
import { failureOf } from '../../../scripts/tools/talosctl/failure-of.ts'
import { AGAIN } from '../../../workflows/model/again.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { isCommand } from '../../../workflows/plan/is-command.ts'
import { APPLY } from '../../../workflows/plan/missing-access.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { commandIn, type Hint, hintsOfFailures } from '../../support/hints.ts'

const { cluster } = fakeCluster(['a', 'b'])
const [a, b] = cluster.nodes.map(({ address }) => address)
const root = mkdtempSync(join(tmpdir(), "it's here "))
test.after(() => rmSync(root, { recursive: true }))
const layout = {
  root,
  folder: root,
  generated: 'clusterconfig/',
  talosconfig: join(root, 'talosconfig'),
  kubeconfig: join(root, 'kubeconfig'),
}
const talosctl = `talosctl --talosconfig ${shellWord(layout.talosconfig)}`
const own = `kubectl --kubeconfig ${shellWord(join(root, '.run', 'kubeconfig'))}`
const again = workflowCommand('upgrade', '7', root)
const typedIn = (hint: string, of = layout) =>
  completeHints(cluster, of, again).failure(failure('bug', { hint })).hint ?? ''

test('A command gets the talosconfig, quoted for the shell, and the address of its node', () => {
  assert.is(typedIn('talosctl -n b dmesg # then try'), `${talosctl} -n ${b} dmesg # then try`)
})

test('A command about the cluster asks a control plane', () => {
  assert.is(typedIn('talosctl etcd alarm list'), `${talosctl} -n ${a} etcd alarm list`)
})

test("A command about Kubernetes gets the person's kubeconfig, or where there is none the one of the runs", () => {
  assert.is(typedIn('wait, or: kubectl -n x get pdb y'), `wait, or: ${own} -n x get pdb y`)
  writeFileSync(layout.kubeconfig, '')
  assert.is(typedIn('kubectl uncordon b'), `kubectl --kubeconfig ${shellWord(layout.kubeconfig)} uncordon b`)
  rmSync(layout.kubeconfig)
})

test('A command of ours gets the cluster, and the folder in which it is declared', () => {
  assert.is(
    typedIn('workflows/gen-config.ts --renew-talosconfig'),
    `${workflowCommand('gen-config', '7', root)} --renew-talosconfig`,
  )
})

test('A machine in maintenance gets its own configuration, at its own address, in what is typed next as well', () => {
  const hint = failureOf({ maintenance: true, ended: { by: 'exit', code: 1 }, stdout: '', stderr: '' }).hint ?? ''
  const waits = failure('node-in-maintenance', { node: 'b', hint })
  const file = shellWord(join(root, 'clusterconfig', `${cluster.name}-b.yaml`))
  const typed = `${talosctl} -n ${b} apply-config --insecure -f ${file} # with the configuration that was generated for it`
  const { failure: completed, event } = completeHints(cluster, layout, again)
  assert.is(completed(waits).hint, typed)
  const ended = {
    run: 'r',
    exitCode: 69,
    verdicts: {},
    failures: [failure('bug'), waits],
    tookMs: 1,
    next: hint,
  } as const
  const { next } = event({ type: 'run.finished', ...ended, failures: [...ended.failures] }) as { next?: string }
  assert.is(next, typed)
})

test('A file below the folder that one stands in is named from there', () => {
  const near = { ...layout, talosconfig: join(process.cwd(), 'x/talosconfig') }
  assert.is(typedIn('talosctl -n a reboot', near), `talosctl --talosconfig x/talosconfig -n ${a} reboot`)
})

test('The same command again is the one that was typed, with more flags where there are some', () => {
  assert.is(typedIn(`${AGAIN} --retry # then`), `${again} --retry # then`)
})

test('Words, and commands that are complete, stay as they are', () => {
  const whole = workflowCommand('init', '7', root)
  for (const text of ['find out why', `${talosctl} config endpoint`, `${own} get nodes`, whole])
    assert.is(typedIn(text), text)
})

test('The command that was typed stays as it is, whatever flag comes first and whatever its paths are called', () => {
  const own = 'node --import tsx workflows/upgrade.ts --yes --cluster 7'
  assert.is(typedIn(own), own)
  for (const typed of [own, "node --import tsx workflows/upgrade.ts --dir '/a$&b' --cluster 7"])
    assert.is(completeHints(cluster, layout, typed).failure(failure('bug', { hint: AGAIN })).hint, typed)
})

test('Every event that carries a failure or a next command is completed', () => {
  const { event } = completeHints(cluster, layout, again)
  const wrong = failure('bug', { hint: 'talosctl -n a services' })
  const texts = [
    event({ type: 'step.failed', step: 'settle', title: 'X', tookMs: 1, failure: wrong }),
    event({ type: 'verdict', node: 'a', verdict: 'stuck', evidence: {}, failure: wrong }),
    event({
      type: 'run.finished',
      run: 'r',
      exitCode: 1,
      verdicts: {},
      failures: [wrong],
      tookMs: 1,
      next: 'talosctl -n a services',
    }),
  ].map((said) => JSON.stringify(said))
  for (const text of texts) {
    assert.match(text, `-n ${a} services`)
    assert.not.match(text, '"talosctl -n')
  }
})

const hints = hintsOfFailures()
const commands = hints.flatMap((hint) => {
  const command = commandIn(hint)
  return command === undefined ? [] : [{ ...hint, text: filled({ ...hint, text: command }) }]
})

/** The hint with something in every hole: a path where it was quoted, `b` for a node. A path that is not quoted may not be there. */
function filled({ at, text }: Hint): string {
  let rest = text
  let result = ''
  for (;;) {
    const start = rest.indexOf('${')
    if (start === -1) return result + rest
    let depth = 0
    let end = start + 1
    do {
      if (rest[end] === '{') depth++
      if (rest[end] === '}') depth--
      end++
    } while (depth > 0)
    const hole = rest.slice(start + 2, end - 1)
    result += rest.slice(0, start) + inHole(hole, at)
    rest = rest.slice(end)
  }
}

function inHole(hole: string, at: string): string {
  if (/^(shellWord|shown)\(/.test(hole)) return shellWord("/some where/it's")
  const [, name] = /^workflowCommand\('([\w-]+)'/.exec(hole) ?? []
  if (name !== undefined) return workflowCommand(name, '7', root)
  // these are made of quoted paths
  if (hole === 'config' || hole === 'from') return ''
  // on-disk.ts quotes it for all of its hints
  if (hole === 'place' && at.startsWith('scripts/disk/on-disk.ts')) return shellWord("/some where/it's")
  if (hole === 'AGAIN' || hole === 'again') return again
  if (hole === 'APPLY') return APPLY
  if (hole === 'generates') return workflowCommand('gen-config', '7', root)
  if (/^(logs|machinedLog|show)\(/.test(hole) || hole === 'hint') return 'talosctl -n b logs machined'
  assert.not.match(
    hole,
    /path|file|folder|dir\b|^place$|above|near/i,
    `${at}: a path is not quoted by shellWord(): ${hole}`,
  )
  return /(^|\.)(node|name)$/.test(hole) ? 'b' : hole === 'tool' ? 'terraform' : hole === 'spec.name' ? 'upgrade' : 'x'
}

test('the source was read: hints of every kind are among those that were found', () => {
  assert.ok(hints.length > 120 && commands.length > 70, `${hints.length} hints, ${commands.length} commands`)
  for (const program of [
    'talosctl',
    'kubectl',
    'node --import tsx',
    'sops',
    'git',
    'rm',
    'mv',
    'mise',
    'workflows/gen-config.ts',
  ])
    assert.ok(
      commands.some(({ text }) => text.startsWith(program)),
      program,
    )
})

test('a shell can read every command of a hint, and none holds a place that is still to be filled in', () => {
  for (const { at, text } of commands) {
    const { status, stderr } = spawnSync('sh', ['-nc', typedIn(text)], { encoding: 'utf8' })
    assert.is(status, 0, `${at}: ${text}: ${stderr}`)
    assert.not.match(text, /<\w/, at)
  }
})

/** Where a hint is what a person reads after "Next:"; elsewhere it may be what is to be written in a file. */
const OF_RUNS = /^(scripts\/(cluster|disk|engine|steps|toolchain|tools)|workflows\/plan\/(?!lint\/))/

test('a hint is a command from its first word on: what else is to be said stands in the detail, or behind a #', () => {
  const ofRuns = hints.filter(({ at, isHint }) => isHint && OF_RUNS.test(at))
  assert.ok(ofRuns.length > 60, `${ofRuns.length} hints`)
  const words = ofRuns.filter((hint) => commandIn(hint) !== hint.text)
  assert.equal(
    words.map(({ at, text }) => `${at}: ${text}`),
    [],
  )
})

test('every hint that is a command alone can be printed as the next one', () => {
  for (const { at, text } of hints.filter((hint) => commandIn(hint) === hint.text))
    assert.ok(isCommand(filled({ at, text }).replace(again, AGAIN)), `${at}: ${filled({ at, text })}`)
})

test('every command of a hint means the cluster and the node that it is about', () => {
  for (const { at, text } of commands) {
    const said = typedIn(text)
    if (/^talosctl (?!--talosconfig|validate)/.test(text))
      assert.ok(said.startsWith(`${talosctl} -n ${text.startsWith('talosctl -n b ') ? b : a} `), `${at}: ${said}`)
    if (/^kubectl (?!--kubeconfig)/.test(text)) assert.ok(said.startsWith(`${own} `), `${at}: ${said}`)
    if (text.startsWith('workflows/')) assert.match(said, ` --cluster 7 --dir ${shellWord(root)}`, at)
  }
})

test('every flag of ours that a hint names is one of the command that it is said by, or of the one that it names', () => {
  const pages = new Map<string, string>()
  const flagsOf = (name: string): string => {
    const page =
      pages.get(name) ??
      spawnSync(process.execPath, ['--import', 'tsx', `workflows/${name}.ts`, '--help'], {
        cwd: packageRoot,
        encoding: 'utf8',
      }).stdout
    pages.set(name, page)
    return page
  }
  const known = (flag: string, names: readonly string[]) =>
    names.some((name) => new RegExp(`^  ${flag}( |$)`, 'm').test(flagsOf(name)))
  for (const { at, text } of hints) {
    const command = commandIn({ at, text })
    const [, named] = /workflows\/([\w-]+)\.ts|workflowCommand\('([\w-]+)'/.exec(command ?? '')?.filter(Boolean) ?? []
    if (command !== undefined && named === undefined) continue
    const names = named ? [named] : ['upgrade', 'gen-config', 'init', 'import-terraform', 'validate-talenv']
    for (const [flag] of text.matchAll(/(?<![\w$-])--(?!import)[a-z][\w-]*/g))
      assert.ok(known(flag, names), `${at}: ${flag} is no flag of ${names.join(', ')}`)
  }
})

test.run()
