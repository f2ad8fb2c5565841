import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import type { Patch, Subject } from './subject.ts'

/** talhelper applies the patches at the top level of talconfig last, so what is for all nodes wins over one node's own. */
export function globalOverrides({ nodes, patches: all }: Subject): Problem[] {
  if (nodes.every(({ global }) => global.length === 0)) return []
  const settings = new Map(all.map((patch) => [patch, settingsOf(patch)]))
  return nodes.flatMap(({ patches, global }) => {
    const last = new Map(global.flatMap((patch) => settings.get(patch) ?? []).map((setting) => [setting.id, setting]))
    return patches
      .flatMap((patch) => settings.get(patch) ?? [])
      .flatMap(({ id, name, place }) => {
        const other = last.get(id)
        if (other === undefined || other.place.value === place.value) return []
        const { file, line } = other.place.key('')
        return [
          warning(
            place.key(
              `${name} is ${show(place.value)} here, but ${show(other.place.value)} in the end, from ${file}:${line}`,
              'talhelper applies patches: at the top level last; move that one to controlPlane.patches and worker.patches',
            ),
          ),
        ]
      })
  })
}

type Setting = { id: string; name: string; place: Place }

/** Single values by document and path; lists are joined, and so do not override each other. */
const settingsOf = ({ documents }: Patch): Setting[] =>
  documents.flatMap((document) => {
    const { kind, name } = (document.value ?? {}) as { kind?: unknown; name?: unknown }
    const whose = kind === undefined ? '' : [kind, name].filter(Boolean).join(' ')
    return leaves(document, []).map(({ path, place }) => ({
      id: JSON.stringify([whose, ...path]),
      name: [...(whose ? [whose] : []), path.join('.')].join(' '),
      place,
    }))
  })

const leaves = (place: Place, path: string[]): { path: string[]; place: Place }[] =>
  place.entries().flatMap(([key, value]) => {
    if (typeof value.value === 'object' && value.value !== null) return leaves(value, [...path, key])
    return [{ path: [...path, key], place: value }]
  })

const show = (value: unknown): string => (typeof value === 'string' ? `"${value}"` : String(value))
