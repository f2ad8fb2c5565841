type JournalLine = { readonly [key in 'type' | 'path' | 'node' | 'failure' | 'output']?: unknown }

/**
 * The records of a journal without the intents of steps that have asked nothing in the end, as a record of that name or the
 * outcome says, and without the installations that those were about to begin.
 */
export function withoutUnasked<Records extends JournalLine>(records: readonly Records[]): Records[] {
  const left: Records[] = []
  for (const record of records) {
    if (record.type === 'unasked' || (record.type === 'outcome' && hasAskedNothing(record))) {
      const from = left.findLastIndex(({ type, path }) => type === 'intent' && path === record.path)
      const { node } = left[from] ?? {}
      if (from !== -1) left.splice(from, Number.POSITIVE_INFINITY, ...left.slice(from + 1).filter(isNotOf(node)))
    }
    if (record.type !== 'unasked') left.push(record)
  }
  return left
}

const hasAskedNothing = ({ failure, output }: JournalLine): boolean => isUnasked(failure) || isUnasked(output)

const isUnasked = (value: unknown): boolean => (value as { unasked?: unknown } | null | undefined)?.unasked === true

const isNotOf =
  (node: unknown) =>
  (record: JournalLine): boolean =>
    record.type !== 'installing' || record.node !== node
