/** How templates are read and rendered: `templates` of operations.yaml. */
export type TemplateOptions = {
  /** minijinja comes with this package; jinja2 is the person's own python3 with jinja2 */
  engine: 'minijinja' | 'jinja2'
  /** the newline after a block tag goes */
  trimBlocks: boolean
  /** blanks before a block tag that starts a line go */
  lstripBlocks: boolean
  /** the last newline of the file stays */
  keepTrailingNewline: boolean
  /** what a missing value is: an error, nothing however deep one looks into it, or nothing that can not be looked into */
  undefined: 'strict' | 'chainable' | 'default'
  /** only for jinja2, like makejinja's `#{ }#` */
  delimiters?: { block: [string, string]; variable: [string, string]; comment: [string, string] }
}

/** What holds where operations.yaml says nothing. makejinja's own defaults have both block options on. */
export const defaultTemplateOptions: TemplateOptions = {
  engine: 'minijinja',
  trimBlocks: false,
  lstripBlocks: false,
  keepTrailingNewline: true,
  undefined: 'strict',
}
