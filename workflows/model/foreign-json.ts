/** JSON that others wrote: what is missing is missing, and what is of another type counts as missing, too. */
export type ForeignMap = { readonly [key: string]: unknown }

export const map = (value: unknown): ForeignMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ForeignMap) : {}

export const list = (value: unknown): ForeignMap[] => (Array.isArray(value) ? value.map(map) : [])

export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

export const count = (value: unknown): number => (typeof value === 'number' ? value : 0)
