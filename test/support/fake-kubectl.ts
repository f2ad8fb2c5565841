/** kubectl in the test's own process, as far as the project starts it: it answers from objects, and every start is counted. */
import type { Command, CommandResult } from '../../scripts/run.ts'
import { commandResult } from './command-result.ts'

export type KubeObject = { kind: string; metadata: { name: string; namespace?: string } & object } & object

/** What a drain does to the objects, and what it says on stderr; it fails where it says something. */
export type Drain = (objects: KubeObject[]) => { objects: KubeObject[]; says?: string[] }

export function fakeKubectl(objects: KubeObject[], drains: Drain[] = []) {
  const started: string[] = []
  let now = objects
  let drained = 0
  const list = (kinds: readonly string[]) =>
    JSON.stringify({ kind: 'List', items: now.filter((o) => kinds.includes(o.kind)) })
  const answer = (stdout: string, more: Parameters<typeof commandResult>[0] = {}) => commandResult({ stdout, ...more })
  const run = async ({ argv }: Command, more?: { onErrorLine?: (line: string) => void }): Promise<CommandResult> => {
    const [verb = '', what = '', name] = argv.filter((word) => !word.startsWith('--'))
    const everything = what.includes(',')
    started.push([verb, everything ? 'everything' : what].join(' '))
    if (verb === 'drain') {
      const { objects: left, says = [] } = drains[Math.min(drained++, drains.length - 1)]?.(now) ?? { objects: now }
      now = left
      for (const line of says) more?.onErrorLine?.(line)
      return answer('', says.length > 0 ? { exitCode: 1, stderr: says.join('\n') } : {})
    }
    if (verb === 'get' && everything)
      return answer(list(['Node', 'Pod', 'PodDisruptionBudget', 'VolumeAttachment', 'PersistentVolume']))
    if (verb === 'get' && what === 'node')
      return answer(JSON.stringify(now.find((o) => o.kind === 'Node' && o.metadata.name === name)))
    if (verb === 'get' && what === 'pods') return answer(list(['Pod']))
    if (verb === 'get' && what === 'volumeattachments') return answer(list(['VolumeAttachment']))
    if (verb === 'get' && what === 'nodes') return answer(list(['Node']))
    throw new Error(`nobody expects kubectl ${verb} ${what}`)
  }
  return { run, started }
}
