import type { Failure } from '../../workflows/model/failure.ts'

/** What failures say is missing in Kubernetes, each once, as a command that a shell takes whole; empty where nothing is. */
export const manifestText = (failures: readonly Failure[]): string =>
  [...new Set(failures.flatMap(({ manifest }) => manifest ?? []))]
    .map((manifest) => `\nkubectl apply -f - <<'EOF'\n${manifest}EOF\n`)
    .join('')
