import { parseVersion } from '../parse-version.ts'
import type { Problem } from '../problem.ts'
import { locate } from './locate.ts'
import type { Located } from './topology.ts'
import { readYaml, type SourceText } from './yaml-source.ts'

/** The flat talenv.yaml: variables that talhelper puts into talconfig.yaml, the versions above all. */
export type Pins = {
  variables: Record<string, string>
  /** where each of them stands */
  at: Record<string, Located>
}

/**
 * Reads flat `key: value` pairs, as talhelper's own reader understands them; of anything else it would silently take
 * nothing at all.
 */
export function parsePins(text: SourceText): { value: Pins; problems: Problem[] } {
  const source = readYaml(text)
  const pins: Pins = { variables: {}, at: {} }
  if (source.value === undefined || source.value === null) return { value: pins, problems: source.problems }
  if (typeof source.value !== 'object' || Array.isArray(source.value))
    return { value: pins, problems: [source.problem([], 'the file should be a map of variables')] }
  const problems = [...source.problems]
  for (const [key, value] of Object.entries(source.value)) {
    const located = locate(source, [key]).any()
    if (!/^[A-Za-z0-9_.]+$/.test(key))
      problems.push(
        source.keyProblem([key], `${key} can not be the name of a variable`, 'letters, digits, _ and . only'),
      )
    else if (typeof value === 'object' && value !== null)
      problems.push(
        source.keyProblem(
          [key],
          `${key} is no single value, and talhelper reads nothing of a file that has one like it`,
          'key: value',
        ),
      )
    else if (located) {
      // 1.30 and 1.3 are the same number and not the same version, so the text counts
      pins.variables[key] = String(value)
      pins.at[key] = { ...located, value: String(value) }
    }
    if (/Version$/.test(key) && typeof value !== 'object' && parseVersion(String(value)) === undefined)
      problems.push(source.problem([key], `${key} ${String(value)} is not a version such as v1.13.9`))
  }
  return { value: pins, problems }
}
