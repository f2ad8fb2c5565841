import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command } from '../../../scripts/run.ts'
import { ageKeygenCommands, ageRecipients } from '../../../scripts/tools/age-keygen.ts'
import { gitCommands, gitPaths } from '../../../scripts/tools/git.ts'
import { sopsCommands, sopsMeaning } from '../../../scripts/tools/sops.ts'
import { type Answered, commandResult } from '../../support/command-result.ts'

const test = suite('command lines around secrets')

const rows: [what: string, command: Command, is: string, stdin?: string][] = [
  [
    'encrypts from memory by the rule for a file',
    sopsCommands.encrypt({ config: '/d/.sops.yaml', file: '/d/s.yaml', plaintext: 'a: b' }),
    'sops --config /d/.sops.yaml encrypt --filename-override /d/s.yaml --input-type yaml --output-type yaml',
    'a: b',
  ],
  [
    'decrypts a file into memory',
    sopsCommands.decrypt({ config: '/d/.sops.yaml', file: '/d/s.yaml' }),
    'sops --config /d/.sops.yaml decrypt --input-type yaml --output-type yaml /d/s.yaml',
  ],
  [
    'decrypts a file without a configuration',
    sopsCommands.decrypt({ file: '/d/s.yaml' }),
    'sops decrypt --input-type yaml --output-type yaml /d/s.yaml',
  ],
  ['makes an identity', ageKeygenCommands.generate(), 'age-keygen'],
  ['tells recipients of a file', ageKeygenCommands.recipientsOfFile('/k'), 'age-keygen -y /k'],
  ['tells recipients of identities in memory', ageKeygenCommands.recipientsOfText('AGE\n'), 'age-keygen -y', 'AGE\n'],
  ['asks whether there is a repository', gitCommands.isRepository('/d'), 'git -C /d rev-parse --is-inside-work-tree'],
  [
    'asks what is ignored',
    gitCommands.ignored('/d', ['a', 'b c']),
    'git -C /d check-ignore --no-index -z --stdin',
    'a\0b c\0',
  ],
  ['asks what is tracked', gitCommands.tracked('/d', ['a', 'b']), 'git -C /d ls-files -z --cached -- a b'],
  [
    'searches what is tracked',
    gitCommands.trackedWith('/d', 'x|y', ['*.yaml']),
    'git -C /d grep --cached -l -z -I -E -e x|y -- *.yaml',
  ],
]

for (const [what, { tool, argv, stdin, mutates }, is, given] of rows)
  test(what, () => {
    assert.is([tool, ...argv].join(' '), is)
    assert.is(stdin, given)
    assert.is(mutates, false)
  })

test('reads recipients, and nothing else that age-keygen may print', () => {
  assert.equal(ageRecipients('age1abc\nage1pq1def\n# age1no\nAGE-SECRET-KEY-1ABC\n'), ['age1abc', 'age1pq1def'])
})

test('reads paths between NULs', () => {
  assert.equal(gitPaths('a\0b\nc\0'), ['a', 'b\nc'])
})

test('words every end of sops', () => {
  const meaning = (answered: Answered) => sopsMeaning(commandResult(answered))
  assert.match(meaning({ exitCode: 51 }), /^its MAC does not match/)
  assert.is(meaning({ exitCode: 7, stderr: 'x: hunter22' }), 'sops ended with 7')
  assert.is(meaning({ exitCode: 1, stderr: 'Could not generate data key: [no such key\nmore]' }), 'no such key')
  assert.is(meaning({ ended: { by: 'signal', signal: 'SIGKILL' } }), 'sops was ended by SIGKILL')
  assert.is(meaning({ ended: { by: 'deadline' } }), 'sops did not end in time')
})

test.run()
