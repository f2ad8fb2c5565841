import { type ForeignMap, map } from '../../../workflows/model/foreign-json.ts'

const TYPES: readonly unknown[] = ['ADDED', 'MODIFIED', 'DELETED']

/** What a line of `kubectl get --watch --output-watch-events --output=json` tells of an object; undefined where it is about none. */
export function eventOf(line: string): { gone: boolean; object: ForeignMap } | undefined {
  try {
    const { type, object } = map(JSON.parse(line))
    return TYPES.includes(type) ? { gone: type === 'DELETED', object: map(object) } : undefined
  } catch {
    return undefined
  }
}
