/** A person's file that is there, and that no text can be read from; the message names it. */
export class UnfitFile extends Error {
  /** the next command to type */
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}
