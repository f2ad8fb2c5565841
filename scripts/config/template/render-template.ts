import { join } from 'node:path'
import type { TemplateOptions } from '../../../workflows/model/cluster.ts'
import type { Problem } from '../../../workflows/model/problem.ts'
import { forPeople } from '../../declaration/load-cluster.ts'
import type { Run } from '../../run.ts'
import { renderWithJinja2 } from './render-with-jinja2.ts'

export type Rendered = {
  text: string
  /** template (relative to the root) and line that an output line (from 1) came from; worked out when first asked */
  origin(line: number): Promise<{ path: string; line: number } | undefined>
}

export type RenderTemplateRequest = {
  /** nothing outside of it is read, whatever a template includes */
  root: string
  /** of the template, relative to the root */
  path: string
  context: Record<string, unknown>
  options: TemplateOptions
  /** starts python3; the minijinja engine needs none */
  run: Run
}

/** A request with the wording of paths for people. */
export type RenderRequest = RenderTemplateRequest & { shown(path: string): string }

/**
 * Renders a template. Every mistake is a problem at file:line:col, and none of them names a value of the context. Both
 * engines give the same text, or minijinja refuses the construct and says so.
 */
export async function renderTemplate(
  request: RenderTemplateRequest,
): Promise<{ ok: true; rendered: Rendered } | { ok: false; problems: Problem[] }> {
  const whole = { ...request, shown: (path: string) => forPeople(join(request.root, path)) || '.' }
  if (request.options.engine === 'jinja2') return renderWithJinja2(whole)
  minijinja ??= import('./render-with-minijinja.ts')
  return (await minijinja).renderWithMinijinja(whole)
}

/** WebAssembly: loaded by those who use it, and once, since even a module that is there takes milliseconds to ask for. */
let minijinja: Promise<typeof import('./render-with-minijinja.ts')> | undefined
