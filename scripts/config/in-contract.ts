/**
 * Has talhelper write configurations in the form of a contract. It takes the form, and the range of Kubernetes, from
 * `talosVersion`, which also becomes the tag of the installer. So it is given versions of the contract under which it says
 * what it should, marked so that nothing else is called like them, and what it writes is given the right ones.
 */
import { isAbsolute } from 'node:path'
import semver from 'semver'
import { isMap, isPair, isScalar, type Pair, parseDocument, visit } from 'yaml'
import type { Cluster } from '../../workflows/model/cluster.ts'
import { contractOfVersion } from '../../workflows/model/declaration/talos-contract.ts'
import { releaseOf } from '../../workflows/model/releases.ts'

export type InContract = {
  /** what talhelper is to read, from the text of talconfig.yaml; what that refers to lies in `folder` */
  talconfig(text: string, folder: string): string
  /** what it would have written and said of the true versions */
  restored(text: string): string
}

/** Undefined where the form of the declared release is the one that is wanted: talhelper needs no help then. */
export function inContract(contract: string, { talosVersion, kubernetesVersion }: Cluster): InContract | undefined {
  if (contractOfVersion(talosVersion) === contract) return undefined
  const versions = [{ key: 'talosVersion', given: `${contract}.0-${MARK}`, meant: talosVersion }]
  const range = releaseOf(`${contract}.0`)?.kubernetes
  const minor = semver.minor(kubernetesVersion)
  if (range && (minor < range.min || minor > range.max))
    versions.push({ key: 'kubernetesVersion', given: `v1.${range.max}.0-${MARK}`, meant: kubernetesVersion })
  return {
    talconfig: (text, folder) => withVersions(text, versions, folder),
    restored: (text) =>
      versions.reduce((done, { given, meant }) => done.replaceAll(given.slice(1), meant.replace(/^v/, '')), text),
  }
}

/** No release is called like that. */
const MARK = 'stand-in'

type Edit = { from: number; to: number; text: string }

/** All else stays as it was written: what a library writes anew, Go may read differently. */
function withVersions(text: string, versions: readonly { key: string; given: string }[], folder: string): string {
  const document = parseDocument(text)
  const edits: Edit[] = []
  for (const { key, given } of versions) {
    const pair = isMap(document.contents)
      ? document.contents.items.find((one) => isScalar(one.key) && one.key.value === key)
      : undefined
    const edit = pair ? replaced(pair, given) : added(document.contents?.range?.[0] ?? 0, text, key, given)
    if (edit) edits.push(edit)
  }
  visit(document, {
    Scalar(at, node, path) {
      if (at === 'key' || typeof node.value !== 'string' || !node.range || node.type?.startsWith('BLOCK')) return
      const keys = path.flatMap((one) => (isPair(one) && isScalar(one.key) ? [String(one.key.value)] : []))
      const file = fileOf(node.value, keys)
      // a variable may hold an absolute path
      if (file === undefined || isAbsolute(file) || file.startsWith('$')) return
      // talhelper replaces variables before it looks for files
      const beside = `@${folder.replaceAll('$', '$$$$')}/${file}`
      edits.push({ from: node.range[0], to: node.range[1], text: JSON.stringify(beside) })
    },
  })
  return edits
    .sort((a, b) => b.from - a.from)
    .reduce((done, { from, to, text }) => done.slice(0, from) + text + done.slice(to), text)
}

/** What talhelper takes for the name of a file, beside talconfig.yaml: in some lists, and in one of them without the @. */
function fileOf(value: string, keys: readonly string[]): string | undefined {
  if (keys.includes('extraManifests')) return value.replace(/^@\s*/, '')
  const refers = ['patches', 'machineFiles', 'inlineManifests'].some((key) => keys.includes(key))
  return refers ? /^@\s*(.+?)\s*$/.exec(value)?.[1] : undefined
}

function replaced({ value }: Pair<unknown, unknown>, given: string): Edit | undefined {
  const range = (value as { range?: [number, number, number] } | null)?.range
  return range && { from: range[0], to: range[1], text: ` ${given}`.slice(range[0] === range[1] ? 0 : 1) }
}

/** In front of the first key, in a line of its own or within braces. */
function added(at: number, text: string, key: string, given: string): Edit {
  if (text[at] === '{') return { from: at + 1, to: at + 1, text: `${key}: ${given}, ` }
  const indent = text.slice(text.lastIndexOf('\n', at - 1) + 1, at)
  return { from: at, to: at, text: `${key}: ${given}\n${indent}` }
}
