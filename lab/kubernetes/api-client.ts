import { Agent, type RequestOptions, request } from 'node:https'
import { createInterface } from 'node:readline'
import type { PemPair } from '../api/certificates.ts'

/** A Kubernetes object, as far as everything here needs to know its shape; the rest is read where it is used. */
export type KubeObject = {
  kind?: string
  apiVersion?: string
  metadata: {
    name: string
    namespace?: string
    uid?: string
    resourceVersion?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    finalizers?: string[]
    ownerReferences?: { kind: string; name: string; uid: string; controller?: boolean; apiVersion?: string }[]
    deletionTimestamp?: string
    deletionGracePeriodSeconds?: number
    creationTimestamp?: string
  }
  // biome-ignore lint/suspicious/noExplicitAny: the API's objects are as wide as the API
  spec?: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  status?: any
}

/** The API server said no. */
export class KubeError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export type PatchKind = 'merge' | 'strategic' | 'apply'

const contentTypes: Record<PatchKind, string> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** name under which the lab's own changes stand in the audit log */
export const labAgent = 'talos-lab'

const timeoutMs = 15_000

/**
 * The few verbs of the Kubernetes API that the lab's own parts speak, over one keep-alive agent. The official client for
 * Node needs a newer Node and half a second to load, for each lab.
 */
export class ApiClient {
  readonly #base: RequestOptions

  constructor(options: { port: number; authority: string; client: PemPair }) {
    this.#base = {
      host: '127.0.0.1',
      port: options.port,
      ca: options.authority,
      cert: options.client.crt,
      key: options.client.key,
      agent: new Agent({ keepAlive: true, maxSockets: 64 }),
    }
  }

  get<T = KubeObject>(path: string): Promise<T> {
    return this.#call('GET', path)
  }

  create(path: string, body: object): Promise<KubeObject> {
    return this.#call('POST', path, body)
  }

  patch(path: string, body: object, kind: PatchKind = 'merge'): Promise<KubeObject> {
    return this.#call('PATCH', path, body, contentTypes[kind])
  }

  delete(path: string, options: object = {}): Promise<KubeObject> {
    return this.#call('DELETE', path, options)
  }

  /** Creates or changes an object so that it is as `body` says, whoever made it. */
  apply(path: string, body: object): Promise<KubeObject> {
    return this.patch(`${path}?fieldManager=${labAgent}&force=true`, body, 'apply')
  }

  /** Calls `on` for each event of a watch; resolves when the stream ends, rejects when it can not begin. */
  watch(path: string, on: (event: { type: string; object: KubeObject }) => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = request({ ...this.#base, path, headers: { 'user-agent': labAgent }, signal }, (response) => {
        response.on('error', () => resolve())
        if (response.statusCode !== 200) {
          response.resume()
          return reject(new KubeError(response.statusCode ?? 0, 'the watch can not begin'))
        }
        createInterface({ input: response })
          .on('line', (line) => {
            if (line !== '') on(JSON.parse(line))
          })
          .on('close', resolve)
          .on('error', () => resolve())
      })
      call.on('error', (error) => (signal.aborted ? resolve() : reject(error)))
      call.end()
    })
  }

  close(): void {
    ;(this.#base.agent as Agent).destroy()
  }

  #call<T>(method: string, path: string, body?: object, contentType = 'application/json'): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = {
        accept: 'application/json',
        'user-agent': labAgent,
        ...(text === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) }),
      }
      const call = request({ ...this.#base, method, path, headers, timeout: timeoutMs }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const answer = Buffer.concat(parts).toString('utf8')
          const code = response.statusCode ?? 0
          if (code >= 200 && code < 300) return resolve(parsed(answer) as T)
          reject(new KubeError(code, (parsed(answer) as { message?: string } | undefined)?.message ?? answer))
        })
      })
      call.on('timeout', () => call.destroy(new Error('the API server does not answer')))
      call.on('error', reject)
      call.end(text)
    })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
