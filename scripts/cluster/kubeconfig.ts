import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { NodeDeclaration } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import { forPeople } from '../declaration/load-cluster.ts'
import { failureOfThrown, onDisk } from '../disk/on-disk.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { onAbort } from '../engine/on-abort.ts'
import { openRunFolder } from '../engine/run-folder.ts'
import { startsFor } from '../engine/starts.ts'
import { checkKubeconfig } from './check-kubeconfig.ts'
import type { Talos } from './talos.ts'

const DAY_MS = 24 * 3600 * 1000

const STOPPED: Result<never> = { ok: false, failure: failure('interrupted') }

/** `refused`: the last one was not taken. Who is told to end waits no longer. */
type Why = { refused: boolean; signal?: AbortSignal | undefined }

/** What all wait for who want a kubeconfig meanwhile; it is cut off when none of them does any more. */
type Fetching = { answer: Promise<Result<string>>; enough: AbortController; waiting: number }

/**
 * Where kubectl gets its kubeconfig from: the file `given` where it is there, which is the person's own choice,
 * else one that Talos makes for an administrator, kept in the run folder (0600) until its certificate is about to end or
 * the API server refuses it. Nothing in it is ever shown.
 */
export function createKubeconfig({
  talos,
  controlPlanes,
  given,
  runFolder,
  timeoutMs,
}: {
  talos: Talos
  controlPlanes: readonly NodeDeclaration[]
  /** the person's own, whether or not it is there */
  given: string
  runFolder: string
  timeoutMs: number
}): (why: Why) => Promise<Result<string>> {
  const own = join(runFolder, 'kubeconfig')
  let fetching: Fetching | undefined
  let isSound = false

  const fetch = async (signal: AbortSignal): Promise<Result<string>> => {
    const unfinished = `${own}.${process.pid}`
    let why = failure('kubeconfig-unusable', { detail: 'no control plane is declared' })
    try {
      for (const node of controlPlanes) {
        rmSync(unfinished, { force: true })
        const fetched = await talos.kubeconfig(node, unfinished, { timeoutMs, signal })
        if (fetched.ok && existsSync(unfinished)) {
          replaceFile(own, readFileSync(unfinished, 'utf8'), 0o600)
          return { ok: true, value: own }
        }
        why = fetched.ok ? failure('kubeconfig-unusable', { detail: 'it wrote none' }) : fetched.failure
        if (why.reason === 'permission-denied' || signal.aborted) break
      }
    } catch (error) {
      why = failureOfThrown(error)
    } finally {
      onDisk(() => rmSync(unfinished, { force: true }))
    }
    const detail = `talosctl gets no kubeconfig: ${why.detail ?? why.reason}`
    return { ok: false, failure: failure('kubeconfig-unusable', { detail, ...(why.hint && { hint: why.hint }) }) }
  }

  const share = async (signal: AbortSignal | undefined): Promise<Result<string>> => {
    while (fetching?.enough.signal.aborted) await fetching.answer
    if (signal?.aborted) return STOPPED
    if (fetching === undefined) {
      const enough = new AbortController()
      const answer = startsFor({ of: 'kubeconfig' }, () => fetch(enough.signal)).finally(() => {
        fetching = undefined
      })
      fetching = { answer, enough, waiting: 0 }
    }
    const own = fetching
    own.waiting += 1
    return new Promise((resolve, reject) => {
      const leave = () => {
        own.waiting -= 1
        if (own.waiting === 0) own.enough.abort()
        resolve(STOPPED)
      }
      const hearNoMore = onAbort(signal, leave)
      own.answer.then(resolve, reject).finally(hearNoMore)
    })
  }

  return async ({ refused, signal }) => {
    // kubectl keeps its cache there, whoever's kubeconfig it is; where it can not, it does without
    const opened = onDisk(() => openRunFolder(runFolder), 'kubeconfig-unusable')
    if (existsSync(given)) {
      const shown = forPeople(given)
      const hint = `kubectl --kubeconfig ${shellWord(shown)} get nodes`
      if (refused)
        return { ok: false, failure: failure('kubeconfig-unusable', { detail: `${shown} is not taken`, hint }) }
      const why = isSound ? undefined : checkKubeconfig(given)
      isSound = why === undefined
      return why ? { ok: false, failure: why } : { ok: true, value: given }
    }
    if (!refused && endsLaterThan(own, Date.now() + DAY_MS)) return { ok: true, value: own }
    if (!opened.ok) return opened
    return share(signal)
  }
}

/** Whether the client certificate in the file is good for longer than that. */
function endsLaterThan(path: string, at: number): boolean {
  try {
    const { users } = parse(readFileSync(path, 'utf8')) as { users: { user: { 'client-certificate-data': string } }[] }
    const certificate = Buffer.from(users[0]?.user['client-certificate-data'] ?? '', 'base64')
    return Date.parse(new X509Certificate(certificate).validTo) > at
  } catch {
    return false
  }
}
