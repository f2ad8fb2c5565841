import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EXIT_CODES, type ExitCode } from '../../../workflows/model/exit-code.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { exitCodeOf } from '../../../workflows/plan/exit-code-of.ts'
import type { BareCall } from '../../cli/command.ts'
import { reject } from '../../cli/reject.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { workflowCommand } from '../../cli/workflow-command.ts'
import { clusterFolder, findLayout, isClusterFolder, packageRoot } from '../../declaration/layout.ts'
import { forPeople } from '../../declaration/load-cluster.ts'
import { failureOfDisk } from '../../disk/on-disk.ts'
import { speaker } from '../../view/speaker.ts'
import { checkSecrets } from './check-secrets.ts'
import { defaultIdentityFile } from './find-identities.ts'
import { planSecrets } from './plan-secrets.ts'
import { readForeignSecrets } from './read-foreign-secrets.ts'
import { findSecretTools } from './secret-tools.ts'

type Flags = { from?: string; ageKey?: string }

/** Gives a cluster its folder, identity, rule and encrypted secrets, each if it is not there: 0, 2 in a dry run, or why not. */
export async function init({ common }: Pick<BareCall, 'common'>, flags: Flags): Promise<ExitCode> {
  const done: string[] = []
  try {
    return await equip(common, flags, done)
  } catch (error) {
    const unwritten = failureOfDisk(error, 'output-unwritable')
    if (unwritten === undefined) throw error
    return reject([unwritten], { ...common, exitCode: exitCodeOf([unwritten], done.length > 0) })
  }
}

/** `done` gets the titles of what was done. */
async function equip(common: BareCall['common'], flags: Flags, done: string[]): Promise<ExitCode> {
  const cluster = clusterFolder(common.cluster)
  if (!isClusterFolder(cluster)) {
    const detail = `--cluster takes letters, digits, dots and dashes, not ${common.cluster}`
    return reject([failure('usage', { detail, hint: '--cluster 101' })], common)
  }
  const dir = resolve(common.dir ?? packageRoot)
  const declared = findLayout(dir, cluster)
  const { folder, generated } = declared ?? { folder: join(dir, 'clusters', cluster), generated: '' }
  const file = join(folder, 'talsecret.sops.yaml')
  const found = await findSecretTools(process.env)
  if (!found.ok) return reject(found.failure, common)
  const tools = found.value
  const ageKey = flags.ageKey === undefined ? undefined : resolve(flags.ageKey)
  const others = ageKey === undefined ? [] : [ageKey]
  const foreign = flags.from === undefined ? undefined : await readForeignSecrets(resolve(flags.from), tools)
  if (foreign && !foreign.ok) return reject(foreign.failure, common)

  const say = speaker(common.output)
  const planned = await planSecrets({
    cluster,
    dir,
    folder,
    generated,
    file,
    tools,
    ageKey,
    ...(foreign && { foreign: foreign.value }),
  })
  if (!planned.ok) return reject(planned.failure, common)
  const steps = planned.value
  // one that fails ends it; the same command carries on from there
  for (const { title, work } of common.dryRun ? [] : steps) {
    const failures = await work()
    if (failures.length > 0) return reject(failures, { ...common, exitCode: exitCodeOf(failures, done.length > 0) })
    done.push(title)
    say.line(`Done: ${title}`)
  }
  if (existsSync(file)) {
    const checked = await checkSecrets({ file, dir, tools, others })
    if (!checked.ok) return reject(checked.failure, common)
    if (foreign && checked.value.caFingerprint !== foreign.value.caFingerprint) {
      const detail = `${forPeople(file)} holds the secrets of another cluster than ${flags.from}, and is never overwritten`
      return reject(
        [
          failure('authority-changed', {
            detail,
            hint: `mv ${shellWord(forPeople(file))} ${shellWord(`${forPeople(file)}.old`)}`,
          }),
        ],
        common,
      )
    }
  }
  if (common.dryRun && steps.length > 0) {
    for (const { title } of steps) say.line(`Would ${title}`)
    return say.end(EXIT_CODES.pending)
  }
  if (steps.length > 0 && foreign?.value.plain)
    say.line(`Delete ${flags.from} when you have looked at all: it holds the same secrets in plain text`)
  if (steps.length === 0) say.line(`Nothing to do: ${forPeople(file)} is there, encrypted, whole and can be opened`)
  return say.end(EXIT_CODES.done, nextCommand({ cluster, dir, declared: declared !== undefined, ageKey }))
}

/** What the cluster lacks now that it has secrets. An identity that nothing would find by itself has to be named. */
function nextCommand({ cluster, dir, declared, ageKey }: Where): string {
  const ownPlaces = [
    join(dir, 'age.key'),
    defaultIdentityFile(process.env),
    resolve(process.env.SOPS_AGE_KEY_FILE ?? ''),
  ]
  const named = ageKey === undefined || ownPlaces.includes(ageKey) ? '' : `SOPS_AGE_KEY_FILE=${shellWord(ageKey)} `
  return declared
    ? `${named}${workflowCommand('gen-config', cluster, dir)}`
    : `${workflowCommand('import-terraform', cluster, dir)} --terraform-dir <dir>`
}

type Where = { cluster: string; dir: string; declared: boolean; ageKey?: string | undefined }
