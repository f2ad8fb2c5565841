import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createTwoFilesPatch } from 'diff'
import { parseTalenv } from '../../workflows/model/declaration/parse-talenv.ts'
import { EXIT_CODES } from '../../workflows/model/exit-code.ts'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import type { CommonFlags } from '../cli/flags.ts'
import type { Printout } from '../cli/printout.ts'
import { reject } from '../cli/reject.ts'
import { clusterFolder, isClusterFolder, packageRoot } from '../declaration/layout.ts'
import { forPeople, invalid, readSource } from '../declaration/load-cluster.ts'
import { makeFolder } from '../disk/make-folder.ts'
import { onDisk } from '../disk/on-disk.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { createRun } from '../run.ts'
import { findShell } from '../toolchain/find-shell.ts'
import { findTerraform, parseTerraformOutput, terraformOutput } from '../tools/terraform.ts'
import { redact } from '../view/redact.ts'

const OUTPUT = 'talenv_yaml'
const TIMEOUT_MS = 120_000

/**
 * Takes a cluster's talenv.yaml from the output `talenv_yaml` of the Terraform module in `terraformDir`, writes it only when
 * it is right and another one, and gives the difference back for stdout. With `--dry-run` 2 says that it would be written.
 */
export async function importTerraform(common: CommonFlags, terraformDir: string | undefined): Promise<Printout> {
  const no = (...failures: Failure[]) => ({ exitCode: reject(failures, common), text: '' })
  const name = clusterFolder(common.cluster)
  const wrong = usage(name, terraformDir)
  if (wrong.length > 0 || terraformDir === undefined) return no(...wrong)

  const terraform = findTerraform(process.env)
  const shell = findShell(process.env)
  if (!terraform.ok || !shell.ok) return no(...[terraform, shell].flatMap((one) => (one.ok ? [] : [one.failure])))
  const { tool, path } = terraform.value
  const run = createRun({ paths: { [tool]: path }, env: process.env, cwd: resolve(terraformDir) })
  const answer = await run(terraformOutput(tool, OUTPUT, TIMEOUT_MS))
  const given = parseTerraformOutput(OUTPUT, answer, { tool, dir: terraformDir, timeoutMs: TIMEOUT_MS })
  if (!given.ok) return no(given.failure)

  const file = join(resolve(common.dir ?? packageRoot), 'clusters', name, 'talenv.yaml')
  const text = given.value.endsWith('\n') ? given.value : `${given.value}\n`
  const parsed = parseTalenv({ talenv: { path: file, text } })
  // operations.yaml is a person's, and no reason against what Terraform says
  if (!parsed.ok)
    return no(...parsed.problems.map((problem) => invalid({ ...problem, file: `terraform output ${OUTPUT}` })))

  const before = readSource(file)?.text
  const changed = before !== text
  if (changed && !common.dryRun) {
    const written = onDisk(() => {
      makeFolder(dirname(file))
      replaceFile(file, text, 0o644)
    }, 'output-unwritable')
    if (!written.ok) return no(written.failure)
  }
  const diff = changed ? unified(file, before, text) : ''
  return {
    exitCode: changed && common.dryRun ? EXIT_CODES.pending : EXIT_CODES.done,
    text: resultText(common.output, { v: 1, cluster: name, file, changed, diff }),
  }
}

function usage(name: string, terraformDir: string | undefined): Failure[] {
  const wrong = (detail: string, hint: string) => failure('usage', { detail, hint })
  const isFolder = terraformDir !== undefined && statSync(terraformDir, { throwIfNoEntry: false })?.isDirectory()
  return [
    ...(isClusterFolder(name) ? [] : [wrong(`${name} can be no cluster`, '--cluster <id>')]),
    ...(terraformDir === undefined ? [wrong('--terraform-dir is missing', '--terraform-dir <path>')] : []),
    ...(terraformDir === undefined || isFolder
      ? []
      : [wrong(`there is no folder ${terraformDir}`, '--terraform-dir <path>')]),
  ]
}

function unified(file: string, before: string | undefined, after: string): string {
  const shown = forPeople(file)
  const patch = createTwoFilesPatch(before === undefined ? '/dev/null' : shown, shown, before ?? '', after, '', '', {
    context: 2,
  })
  // the first line is a rule of the Index format, which diff(1) does not write
  return redact(patch.replace(/^=+\n/, ''))
}

function resultText(
  output: CommonFlags['output'],
  result: { v: 1; cluster: string; file: string; changed: boolean; diff: string },
): string {
  if (output === 'json') return `${JSON.stringify(result)}\n`
  return output === 'quiet' ? '' : result.diff
}
