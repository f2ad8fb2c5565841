import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseFlags } from '../../../scripts/cli/flags.ts'
import { EXIT_CODES } from '../../../workflows/model/exit-code.ts'

const line = {
  name: 'upgrade',
  summary: 'Upgrade Talos on the nodes of a cluster',
  flags: {
    to: { type: 'version', help: 'release to upgrade to' },
    retry: { type: 'boolean', help: 'try a node again' },
    kind: { type: 'choice', choices: ['talos', 'kubernetes'], help: 'what to upgrade' },
  },
} as const

const parse = (...argv: string[]) => parseFlags(line, argv)

const mistakesOf = (...argv: string[]) => {
  const parsed = parse(...argv)
  return parsed.kind === 'wrong'
    ? parsed.failures.map(({ reason, detail, hint }) => `${reason}: ${detail}${hint ? ` (${hint})` : ''}`)
    : []
}

test('reads common flags and those of the command', () => {
  const parsed = parse('--cluster', '101', '--dry-run', '--nodes=k8s-1,k8s-2', '--nodes', '10.0.0.3', '--to', '1.13.9')
  assert.equal(parsed, {
    kind: 'run',
    common: {
      cluster: '101',
      nodes: ['k8s-1', 'k8s-2', '10.0.0.3'],
      dryRun: true,
      yes: false,
      abandon: false,
      output: 'auto',
    },
    flags: { to: 'v1.13.9', retry: false },
    words: [],
  })
})

test('takes the flags that mean nothing to a command, since a script passes the same ones to all', () => {
  const without = ['cluster', 'dir', 'dry-run', 'yes', 'talosconfig', 'kubeconfig'] as const
  const bare = { ...line, without }
  const files = ['--talosconfig', '/t', '--kubeconfig', '/k']
  assert.equal(parseFlags(bare, ['--cluster=7', '--dir=/d', '--yes', '--dry-run', '--output=json', ...files]), {
    kind: 'run',
    common: {
      ...{ cluster: '7', dir: '/d', dryRun: true, yes: true, abandon: false, output: 'json' },
      ...{ talosconfig: '/t', kubeconfig: '/k' },
    },
    flags: { retry: false },
    words: [],
  })
  assert.is(parseFlags(bare, []).kind, 'run', 'and misses none of them')
  const help = parseFlags(bare, ['--help'])
  assert.not.match(help.kind === 'help' ? help.text : '--yes', /--(yes|cluster|kubeconfig)/)
})

test('calls flags as code does, and leaves out what was not given', () => {
  const named = {
    'skip-drain': { type: 'boolean', help: 'h' },
    'age-key': { type: 'string', help: 'h' },
    'a-b-c': { type: 'string', help: 'h' },
  } as const
  const parsed = parseFlags({ ...line, flags: named }, ['--cluster=7', '--skip-drain', '--age-key=k'])
  assert.equal(parsed.kind === 'run' && parsed.flags, { skipDrain: true, ageKey: 'k' })
})

test('takes a verb before the flags, and one more word where the verb wants one', () => {
  const verbs = { up: { help: 'h' }, fault: { help: 'h', word: 'name' } }
  const flags = { speed: { type: 'number', help: 'h' }, list: { type: 'boolean', alone: true, help: 'h' } } as const
  const read = (...argv: string[]) => {
    const parsed = parseFlags({ ...line, flags, verbs }, argv)
    return parsed.kind === 'run'
      ? [...parsed.words, parsed.flags.speed, parsed.flags.list].filter(Boolean)
      : parsed.kind === 'wrong' && parsed.failures.map(({ detail, hint }) => [detail, hint].filter(Boolean).join(': '))
  }
  for (const [argv, seen] of [
    [
      ['up', '--cluster=7', '--speed', '2.5'],
      ['up', 2.5],
    ],
    [
      ['fault', 'rain', '--cluster=7'],
      ['fault', 'rain'],
    ],
    [['--cluster=7', 'fault'], ['fault']],
    [['fault', 'rain', '--list'], ['rain stands without a flag']],
    [
      ['fault', '--list'],
      ['fault', true],
    ],
    [[], ['say what: up|fault', '--cluster is missing: --cluster <id>']],
    [['fautl', '--cluster=7'], ['fautl is none of up, fault: did you mean fault?']],
    [['up', 'rain', '--cluster=7'], ['rain stands without a flag']],
    [['fault', 'rain', 'hail', '--cluster=7'], ['hail stands without a flag']],
    [['up', '--cluster=7', '--speed', '0'], ['--speed takes a number above 0, not "0"']],
    [['up', '--cluster=7', '--speed', 'x'], ['--speed takes a number above 0, not "x"']],
  ] as const)
    assert.equal(read(...argv), seen, argv.join(' '))
})

test('refuses to abandon a run where a command leaves none', () => {
  const parsed = parseFlags({ ...line, without: ['abandon'] }, ['--cluster=7', '--abandon'])
  assert.equal(parsed.kind === 'wrong' && parsed.failures.map(({ detail }) => detail), [
    'upgrade leaves no run behind, so there is none for --abandon to close',
  ])
})

test('refuses to be narrowed where it can not be', () => {
  const parsed = parseFlags({ ...line, without: ['nodes'] }, ['--cluster=7', '--nodes=a'])
  assert.equal(parsed.kind === 'wrong' && parsed.failures.map(({ detail }) => detail), [
    'upgrade is about the whole cluster, and can not be narrowed by --nodes',
  ])
})

const table: [behaviour: string, argv: string[], mistakes: string[]][] = [
  ['no cluster', [], ['usage: --cluster is missing (--cluster <id>)']],
  [
    'an unknown flag',
    ['--cluster', '101', '--dryrun'],
    ['usage: --dryrun is not a flag of upgrade (did you mean --dry-run?)'],
  ],
  ['an unknown short flag', ['--cluster=101', '-y'], ['usage: -y is not a flag of upgrade']],
  [
    'the value of an unknown flag only once',
    ['--clustr', '101'],
    ['usage: --clustr is not a flag of upgrade (did you mean --cluster?)'],
  ],
  ['a flag of Object', ['--cluster=101', '--toString'], ['usage: --toString is not a flag of upgrade']],
  ['a value that is not there', ['--cluster'], ['usage: --cluster needs a value (--cluster <id>)']],
  ['a flag in the place of a value', ['--cluster', '--yes'], ['usage: --cluster needs a value (--cluster <id>)']],
  [
    'names of which none is there',
    ['--cluster=101', '--nodes', ' , '],
    ['usage: --nodes needs a value (--nodes <a,b>)'],
  ],
  ['a value where none belongs', ['--cluster=101', '--yes=no'], ['usage: --yes takes no value']],
  ['a word that belongs to nothing', ['--cluster=101', 'k8s-1'], ['usage: k8s-1 stands without a flag']],
  ['a cluster without its flag', ['101'], ['usage: 101 stands without a flag (--cluster 101)']],
  ['two clusters', ['--cluster=101', '--cluster=102'], ['usage: --cluster is there more than once']],
  [
    'three of one kind as one mistake',
    ['--cluster=1', '--to=1.13.9', '--to=1.13.8', '--to=1.13.7'],
    ['usage: --to is there more than once'],
  ],
  [
    'a view that does not exist',
    ['--cluster=101', '--output=jsno'],
    ['usage: --output is one of auto, plain, json, quiet, not jsno (did you mean json?)'],
  ],
  ['half a version', ['--cluster=101', '--to', 'v1.13'], ['usage: --to takes a version such as v1.13.9, not v1.13']],
  [
    'a choice of the command',
    ['--cluster=101', '--kind=etcd'],
    ['usage: --kind is one of talos, kubernetes, not etcd'],
  ],
  [
    'everything at once',
    ['--cluster=101', '--dryrun', '--to=x', 'now'],
    [
      'usage: --dryrun is not a flag of upgrade (did you mean --dry-run?)',
      'usage: --to takes a version such as v1.13.9, not x',
      'usage: now stands without a flag',
    ],
  ],
]

for (const [behaviour, argv, mistakes] of table)
  test(`refuses ${behaviour}`, () => assert.equal(mistakesOf(...argv), mistakes))

test('explains every flag and every exit code, even beside a mistake', () => {
  const parsed = parse('--help', '--nonsense')
  assert.is(parsed.kind, 'help')
  const text = parsed.kind === 'help' ? parsed.text : ''
  for (const flag of ['--to <version>', '--retry', '--kind talos|kubernetes', '--cluster <id>', '--dry-run', '--help'])
    assert.match(text, new RegExp(`^ {2}${flag.replace('|', '\\|')} `, 'm'))
  for (const code of Object.values(EXIT_CODES)) assert.match(text, new RegExp(`^ {2}${code} `, 'm'))
})

test.run()
