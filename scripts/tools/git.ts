/** git's command lines, as data. All of them read; paths come and go with NUL between them. */
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import type { Command, CommandResult } from '../run.ts'
import { howEnded } from './ended.ts'

const git = (folder: string, argv: string[], stdin?: string): Command => ({
  tool: 'git',
  argv: ['-C', folder, ...argv],
  stdin,
  timeoutMs: 30_000,
  mutates: false,
})

/** Every call of git that the project makes. */
export const gitCommands = {
  /** Exits 0 inside a work tree, 128 elsewhere. */
  isRepository: (folder: string) => git(folder, ['rev-parse', '--is-inside-work-tree']),
  /** Which of `paths` (relative to `folder`) the ignore rules cover, tracked or not. Exits 1 when none is. */
  ignored: (folder: string, paths: readonly string[]) =>
    git(folder, ['check-ignore', '--no-index', '-z', '--stdin'], paths.map((path) => `${path}\0`).join('')),
  /** What of `pathspecs` is in the index, relative to `folder`. */
  tracked: (folder: string, pathspecs: readonly string[]) =>
    git(folder, ['ls-files', '-z', '--cached', '--', ...pathspecs]),
  /** Files of the index below `folder` whose text matches an extended regular expression. Exits 1 when none does. */
  trackedWith: (folder: string, pattern: string, pathspecs: readonly string[]) =>
    git(folder, ['grep', '--cached', '-l', '-z', '-I', '-E', '-e', pattern, '--', ...pathspecs]),
}

/** Paths as `-z` prints them. */
export const gitPaths = (stdout: string): string[] => stdout.split('\0').filter(Boolean)

/** Silence of a git that did not end by itself is no answer: what it holds of `folder` is not known then. */
export const brokenOff = (folder: string, result: CommandResult): Failure[] =>
  result.ended.by === 'exit'
    ? []
    : [
        failure('secret-in-git', {
          detail: `git ${howEnded(result)}, and did not tell what it holds of ${folder}`,
          hint: `git -C ${shellWord(folder)} status`,
        }),
      ]
