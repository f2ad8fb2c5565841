/** A filter of Jinja2's own: the names of its arguments, what it takes and what it gives. */
export type FilterSignature = {
  parameters: readonly string[]
  takes: 'value' | 'iterable' | 'number'
  /** in Python; a generator can be read only once */
  gives?: 'generator' | 'float'
}

const value = (...parameters: string[]): FilterSignature => ({ parameters, takes: 'value' })
const iterable = (...parameters: string[]): FilterSignature => ({ parameters, takes: 'iterable' })
const generator = (...parameters: string[]): FilterSignature => ({ parameters, takes: 'iterable', gives: 'generator' })

/** Jinja2's filters that give the same here; `default` is minijinja's. */
export const jinjaFilters: Readonly<Record<string, FilterSignature>> = {
  abs: { parameters: [], takes: 'number' },
  batch: generator('linecount', 'fill_with'),
  capitalize: value(),
  center: value('width'),
  count: iterable(),
  d: value('default_value', 'boolean'),
  default: value('default_value', 'boolean'),
  dictsort: value('case_sensitive', 'by', 'reverse'),
  first: iterable(),
  float: { parameters: ['default'], takes: 'number', gives: 'float' },
  format: value(),
  groupby: iterable('attribute', 'default', 'case_sensitive'),
  indent: value('width', 'first', 'blank'),
  int: { parameters: ['default', 'base'], takes: 'number' },
  items: { parameters: [], takes: 'value', gives: 'generator' },
  join: iterable('d', 'attribute'),
  last: value(),
  length: iterable(),
  list: iterable(),
  lower: value(),
  map: generator(),
  max: iterable('case_sensitive', 'attribute'),
  min: iterable('case_sensitive', 'attribute'),
  reject: generator(),
  rejectattr: generator(),
  replace: value('old', 'new', 'count'),
  reverse: { parameters: [], takes: 'value', gives: 'generator' },
  round: { parameters: ['precision', 'method'], takes: 'number', gives: 'float' },
  select: generator(),
  selectattr: generator(),
  sort: iterable('reverse', 'case_sensitive', 'attribute'),
  string: value(),
  sum: iterable('attribute', 'start'),
  title: value(),
  tojson: value('indent'),
  trim: value('chars'),
  truncate: value('length', 'killwords', 'end', 'leeway'),
  unique: generator('case_sensitive', 'attribute'),
  upper: value(),
}

/** Filters that Jinja2 has and that are refused here. */
export const knownToJinja: readonly string[] = [
  'attr',
  'e',
  'escape',
  'filesizeformat',
  'forceescape',
  'pprint',
  'random',
  'safe',
  'slice',
  'striptags',
  'urlencode',
  'urlize',
  'wordcount',
  'wordwrap',
  'xmlattr',
]

/** Methods of Python's strings, maps and lists that templates call. */
export const stringMethods: readonly string[] = [
  'capitalize',
  'count',
  'endswith',
  'find',
  'format',
  'get',
  'index',
  'isalnum',
  'isalpha',
  'isdigit',
  'items',
  'join',
  'keys',
  'ljust',
  'lower',
  'lstrip',
  'removeprefix',
  'removesuffix',
  'replace',
  'rfind',
  'rjust',
  'rsplit',
  'rstrip',
  'split',
  'splitlines',
  'startswith',
  'strip',
  'swapcase',
  'title',
  'upper',
  'values',
  'zfill',
]
