import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { forPeople } from '../../declaration/load-cluster.ts'
import { makeFolder } from '../../disk/make-folder.ts'
import { nearestFolder } from '../../disk/nearest-folder.ts'
import { readText } from '../../disk/read-text.ts'
import { replaceFile } from '../../disk/replace-file.ts'
import { type CommandResult, createRun, type Run } from '../../run.ts'
import { howEnded, isDone, isMissing } from '../../tools/ended.ts'
import { brokenOff, gitCommands, gitPaths } from '../../tools/git.ts'
import type { SecretTools } from './secret-tools.ts'

/** A `.gitignore`, and the lines that it got, or would get in a dry run. */
export type IgnoreLines = { file: string; lines: string[] }

/** Names in the index below `dir` that always mean plain text, as talosctl, talhelper and age-keygen write them. */
const SECRET_NAMES = ['age.key', 'talosconfig', 'kubeconfig', 'talconfig.rendered.yaml']

/** What only plain text holds: age identities, private keys as Talos writes them, tokens of Talos and Kubernetes. */
const SECRET_TEXT = [
  'AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{20}',
  'LS0tLS1CRUdJTi(BFQyBQUklWQVRF|BFRDI1NTE5IFBSSVZBVEUg|BSU0EgUFJJVkFURSBL|BQUklWQVRFIEtF)',
  '(token|bootstraptoken): ["\']?[a-z0-9]{6}\\.[a-z0-9]{16}',
].join('|')

/** Files that may hold secrets; sources of programs may hold what only looks like one. */
const PATHSPECS = ['*.yaml', '*.yml', '*.key', '*keys.txt', '*talosconfig', '*kubeconfig']

/**
 * Sees to it that git takes up nothing secret: what is generated in `folder` and an `age.key` in `dir` are ignored, by
 * lines that are added to `.gitignore` where no rule covers them, also before there is a repository; and the index below
 * `dir` holds no secret in plain text. Fails with one `secret-in-git` for each file, and adds no line then.
 */
export async function protectFromGit({
  folder,
  dir,
  generated = '',
  tools,
  dryRun = false,
}: {
  /** `clusters/cluster-101`; need not exist */
  folder: string
  dir: string
  /** where the node files are in it, as `Layout` says: `` (with names of their own) or `clusterconfig/` (all there) */
  generated?: string
  tools: Pick<SecretTools, 'env'> & Partial<SecretTools>
  dryRun?: boolean
}): Promise<Result<IgnoreLines[], Failure[]>> {
  const run = createRun({ paths: {}, ...tools })
  const nodeFiles = `${generated}${generated === '' ? 'cluster-*-*' : '*'}.yaml`
  const there = nearestFolder(folder)
  const asked = await run(gitCommands.isRepository(there))
  const isRepository = isDone(asked)
  const sick = isRepository ? undefined : notAsked(there, asked)
  if (sick) return { ok: false, failure: [sick] }
  if (isRepository) {
    const held = await secretsInIndex(run, nearestFolder(dir), join(relative(dir, folder), nodeFiles))
    if (held.length > 0) return { ok: false, failure: held }
  }

  const wanted = [
    {
      file: join(folder, '.gitignore'),
      names: [`${generated}talosconfig`, 'kubeconfig', 'talconfig.rendered.yaml', nodeFiles],
    },
    { file: join(dir, '.gitignore'), names: ['age.key'] },
  ]
  const added: IgnoreLines[] = []
  for (const { file, names } of wanted) {
    const uncovered = isRepository ? await uncoveredBy(run, there, dirname(file), names) : names
    const before = existsSync(file) ? readText(file) : ''
    const lines = uncovered.map((name) => `/${name}`).filter((line) => !holds(before, line))
    if (lines.length > 0) added.push({ file, lines })
    if (dryRun || uncovered.length === 0) continue
    if (lines.length > 0) append(file, before, lines)
    // a .gitignore in a deeper folder could take it back
    const still = isRepository ? await uncoveredBy(run, nearestFolder(folder), dirname(file), uncovered) : []
    if (still.length > 0)
      return { ok: false, failure: still.map((name) => notIgnored(join(dirname(file), name), file)) }
  }
  return { ok: true, value: added }
}

/** Whether a line is there, and no later one takes it back. */
function holds(text: string, line: string): boolean {
  const lines = text.split(/\r?\n/).map((each) => each.trim())
  const at = lines.lastIndexOf(line)
  return at >= 0 && !lines.slice(at).some((each) => each.startsWith('!'))
}

function append(file: string, before: string, lines: readonly string[]): void {
  makeFolder(dirname(file))
  const end = before === '' || before.endsWith('\n') ? '' : '\n'
  replaceFile(file, `${before}${end}${lines.join('\n')}\n`, before === '' ? 0o644 : statSync(file).mode & 0o777)
}

const notIgnored = (path: string, file: string): Failure =>
  failure('secret-in-git', {
    detail: `git would take up ${forPeople(path)}, although ${forPeople(file)} names it`,
    hint: `git -C ${shellWord(dirname(file))} check-ignore --no-index -v ${shellWord(path)}`,
  })

/** git is missing or will not answer although there is a repository: then nobody knows what it would take up. */
function notAsked(folder: string, asked: CommandResult): Failure | undefined {
  let above = folder
  while (!existsSync(join(above, '.git')) && above !== dirname(above)) above = dirname(above)
  if (!existsSync(join(above, '.git'))) return undefined
  if (isMissing(asked))
    return failure('tool-missing', { detail: `git is not there, and ${above} is a repository`, hint: 'install git' })
  const said = asked.stderr.split('\n')[0]?.replace(/^fatal: /, '') || `it ${howEnded(asked)}`
  return failure('secret-in-git', {
    detail: `git does not tell what it would take up of ${above}: ${said}`,
    hint: `git -C ${shellWord(above)} status`,
  })
}

async function uncoveredBy(run: Run, there: string, folder: string, names: readonly string[]): Promise<string[]> {
  // a pattern is covered when a file that fits it is
  const paths = names.map((name) => join(relative(there, folder), name.replaceAll('*', 'x')))
  const ignored = gitPaths((await run(gitCommands.ignored(there, paths))).stdout)
  return names.filter((_, index) => !ignored.includes(paths[index] ?? ''))
}

async function secretsInIndex(run: Run, dir: string, nodeFiles: string): Promise<Failure[]> {
  const named = [...SECRET_NAMES.map((name) => `:(glob)**/${name}`), `:(glob)${nodeFiles}`]
  const [byName, byText] = await Promise.all([
    run(gitCommands.tracked(dir, named)),
    run(gitCommands.trackedWith(dir, SECRET_TEXT, PATHSPECS)),
  ])
  const broken = [byName, byText].flatMap((asked) => brokenOff(dir, asked)).slice(0, 1)
  if (broken.length > 0) return broken
  const names = gitPaths(byName.stdout)
  const texts = gitPaths(byText.stdout)
  return [...new Set([...names, ...texts])].sort().map((path) =>
    failure('secret-in-git', {
      detail: `${forPeople(join(dir, path))} is in git${
        texts.includes(path) ? ' and holds secrets in plain text, which its history keeps' : ', where it must never be'
      }`,
      hint: `git -C ${shellWord(dir)} rm --cached ${shellWord(path)}`,
    }),
  )
}
