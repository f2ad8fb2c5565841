/** What a translation is made of and what it gives. */
import type { TemplateOptions } from '../../../workflows/model/cluster.ts'

/** A place that our functions are called from. `at` is the offset of what is named by `text`. */
export type Site = { template: number; at: number; text: string; prefixes: string[] }

export type Refusal = { at: number; message: string; hint?: string }

/** What an `include`, `import` or `extends` names. */
export type Reference = { path: string; at: number; how: 'include' | 'import' | 'import with context' | 'extends' }

export type TranslateRequest = {
  source: string
  /** number of this template, for the sites and the markers */
  template: number
  options: TemplateOptions
  /** the name that minijinja knows the template of a reference by; undefined when it is absent and may be */
  nameOf(reference: Reference, mayBeAbsent: boolean): string | undefined
  /** imported without its context: it knows only its own names */
  alone: boolean
  /** every name that some template of the set binds */
  boundSomewhere: ReadonlySet<string>
  marked: boolean
  /** gets a new site for every call of ours; the index is its id */
  sites: Site[]
  helpers: ReadonlySet<string>
  contextNames: ReadonlySet<string>
  /** the context has fractions, so that sums may be whole floats */
  fractions: boolean
}

/** Where a tag stands in the wording for minijinja, by line and columns from 0, and where it is in the template. */
export type TagPlace = { line: number; from: number; to: number; at: number }

export type Translated = { text: string; tags: TagPlace[]; refusals: Refusal[] }
