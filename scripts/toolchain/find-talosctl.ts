import { findTool, type ToolSearch } from './find-tool.ts'
import type { TalosctlName } from './tool-table.ts'

const oldestFirst: readonly TalosctlName[] = ['talosctl-1.13', 'talosctl-1.14']

/**
 * The talosctl of a run about Talos `version` (`v1.14.1`). Reading works with every one of them; what changes nodes or
 * judges configurations has to be no older than that version. The nearest minor is taken; but a program that the
 * environment names goes before one that is only found, and where it fits nothing there is an answer and no other one.
 */
export async function findTalosctl(
  version: string,
  use: 'read' | 'change',
  env: NodeJS.ProcessEnv = process.env,
): Promise<ToolSearch> {
  const searches = await Promise.all(talosctlFor(version, use).map((name) => findTool(name, env)))
  const answer =
    searches.find((search) => (search.found ? search.source === 'environment' : !search.buildable)) ??
    searches.find((search) => search.found) ??
    searches[0]
  if (!answer) throw new Error('there is no talosctl in the table')
  return answer
}

/**
 * Which talosctl serve, best first; all of them, where the version is newer than what any here knows: it is not for the
 * search of a tool to refuse it.
 */
export function talosctlFor(version: string, use: 'read' | 'change'): TalosctlName[] {
  const newer = oldestFirst.filter((name) => minorOf(name) >= minorOf(version))
  const older = oldestFirst.filter((name) => !newer.includes(name)).reverse()
  return use === 'change' && newer.length > 0 ? newer : [...newer, ...older]
}

/** The minor release in `talosctl-1.14` or `v1.14.1`; the major one is 1 for all. */
const minorOf = (text: string): number => Number(/1\.(\d+)/.exec(text)?.[1] ?? 0)
