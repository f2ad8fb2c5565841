/** A value inside a template as our filters see it. Maps keep the order in which their author wrote the keys. */
export type TemplateValue = undefined | null | boolean | number | string | TemplateValue[] | Map<string, TemplateValue>

/** What went wrong in a filter, a test or a function. The message names types, never values: they may be secret. */
export class TemplateTrouble extends Error {
  readonly hint: string | undefined
  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** The type as Python calls it, which is what Jinja's own messages say. */
export function typeName(value: TemplateValue): string {
  if (value === undefined) return 'undefined'
  if (value === null) return 'none'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float'
  if (typeof value === 'string') return 'string'
  return Array.isArray(value) ? 'list' : 'map'
}

/** Stands for an undefined value in calls of ours: minijinja hands none over as undefined. */
export const undefinedMark = '\u{10fffd}'
