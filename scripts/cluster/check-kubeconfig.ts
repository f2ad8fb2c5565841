import * as v from 'valibot'
import { parseAllDocuments } from 'yaml'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import { forPeople } from '../declaration/load-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'
import { readText } from '../disk/read-text.ts'

const named = <T extends v.ObjectEntries>(more: T) => v.nullish(v.array(v.object({ name: v.string(), ...more })), [])

const File = v.object({
  'current-context': v.nullish(v.string(), ''),
  contexts: named({ context: v.nullish(v.object({ cluster: v.nullish(v.string()) })) }),
  clusters: named({ cluster: v.nullish(v.object({ server: v.nullish(v.string()) })) }),
})

/**
 * What keeps kubectl from using the kubeconfig that is there, found out without asking anybody: from one that names no
 * server kubectl turns to localhost, and with one that names no user it asks for a name. Never shows its content.
 */
export function checkKubeconfig(path: string): Failure | undefined {
  const shown = forPeople(path)
  const wrong = (what: string, hint: string) => failure('kubeconfig-unusable', { detail: `${shown} ${what}`, hint })
  const text = onDisk(() => readText(path), 'kubeconfig-unusable')
  if (!text.ok) return text.failure
  // where there is none beside the declaration, talosctl fetches one
  const aside = `mv ${shellWord(shown)} ${shellWord(`${shown}.old`)}`
  const file = v.safeParse(File, contentOf(text.value))
  if (!file.success) return wrong('is no kubeconfig', aside)
  const { contexts, clusters, 'current-context': current } = file.output
  const [first] = contexts
  const choose = first ? `kubectl --kubeconfig ${shellWord(shown)} config use-context ${shellWord(first.name)}` : aside
  if (current === '') return wrong('has no current context', choose)
  const context = contexts.find(({ name }) => name === current)
  if (context === undefined) return wrong(`has no context "${current}"`, choose)
  const cluster = clusters.find(({ name }) => name === context.context?.cluster)
  return cluster?.cluster?.server ? undefined : wrong(`names no server in its context "${current}"`, aside)
}

/** As kubectl reads it: the first document, whatever stands in it twice. The parser's message would quote the file. */
function contentOf(text: string): unknown {
  try {
    const [first] = parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent' })
    return first?.errors.length === 0 ? first.toJS() : undefined
  } catch {
    return undefined
  }
}
