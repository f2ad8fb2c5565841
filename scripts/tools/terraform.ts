/** Terraform's and OpenTofu's command line: one output of one root module, and what its answers mean. */
import { resolve } from 'node:path'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import type { Command, CommandResult } from '../run.ts'
import { isProgram, onPath } from '../toolchain/on-path.ts'
import { howEnded, isDone } from './ended.ts'

export type TerraformProgram = { tool: 'terraform' | 'tofu'; path: string }

/** The program that TERRAFORM names, else terraform, else tofu on PATH. Fails with `tool-missing`. */
export function findTerraform(env: NodeJS.ProcessEnv): Result<TerraformProgram> {
  const named = env.TERRAFORM
  const found = named ? locate(named, env) : undefined
  if (named && found === undefined)
    return {
      ok: false,
      failure: failure('tool-missing', {
        detail: `TERRAFORM names ${named}, which can not be run`,
        hint: 'unset TERRAFORM',
      }),
    }
  if (found !== undefined) return { ok: true, value: { tool: 'terraform', path: found } }
  for (const tool of ['terraform', 'tofu'] as const) {
    const path = locate(tool, env)
    if (path !== undefined) return { ok: true, value: { tool, path } }
  }
  const hint = 'mise use --global terraform'
  return { ok: false, failure: failure('tool-missing', { detail: 'neither terraform nor tofu is on PATH', hint }) }
}

function locate(program: string, env: NodeJS.ProcessEnv): string | undefined {
  if (program.includes('/')) return isProgram(resolve(program)) ? resolve(program) : undefined
  return onPath(program, env)
}

/**
 * One output as JSON. Not `-raw`, which prints a warning on standard output and exits 0 where there is no state. It runs in
 * the module's folder, so that a wrapper such as terragrunt can stand for terraform.
 */
export const terraformOutput = (tool: TerraformProgram['tool'], name: string, timeoutMs: number): Command => ({
  tool,
  argv: ['output', '-no-color', '-json', name],
  timeoutMs,
  mutates: false,
})

/**
 * The text of an output. Fails with `terraform-output-missing` where nothing of that name was applied or it is no text, and
 * with `terraform-unreadable` where the state can not be read; says what to type in `dir`.
 */
export function parseTerraformOutput(
  name: string,
  result: CommandResult,
  { tool, dir, timeoutMs }: { tool: string; dir: string; timeoutMs: number },
): Result<string> {
  const no = (reason: 'terraform-output-missing' | 'terraform-unreadable', detail: string, hint: string) => ({
    ok: false as const,
    failure: failure(reason, { detail, hint }) satisfies Failure,
  })
  const apply = `add \`output "${name}" { value = yamlencode(…) }\` to the module and type: ${tool} -chdir=${shellWord(dir)} apply`
  const { stdout, stderr } = result
  if (result.ended.by === 'deadline')
    return no(
      'terraform-unreadable',
      `${tool} output in ${dir} took longer than ${timeoutMs / 1000} s`,
      `${tool} -chdir=${shellWord(dir)} output`,
    )
  const said = complaint(stderr)
  if (!isDone(result)) {
    if (/Output "[^"]*" not found|No outputs found/.test(stderr))
      return no('terraform-output-missing', `${dir} has no output ${name}`, apply)
    const verb = /\binit\b/.test(stderr) ? 'init' : 'output'
    return no(
      'terraform-unreadable',
      `${tool} output in ${dir}: ${said || `it ${howEnded(result)}`}`,
      `${tool} -chdir=${shellWord(dir)} ${verb}`,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(stdout)
  } catch {
    return no('terraform-output-missing', `${dir} has no output ${name}`, apply)
  }
  if (value === null || value === '')
    return no('terraform-output-missing', `the output ${name} of ${dir} is empty`, apply)
  if (typeof value === 'string') return { ok: true, value }
  return no(
    'terraform-output-missing',
    `the output ${name} of ${dir} is ${Array.isArray(value) ? 'a list' : `no text but ${typeof value === 'object' ? 'an object' : `a ${typeof value}`}`}`,
    apply,
  )
}

/** The first error in what terraform says, without its frame. */
function complaint(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^[│╷╵\s]+/, '').trim())
  return lines.find((line) => line.startsWith('Error')) ?? lines.find((line) => line !== '') ?? ''
}
