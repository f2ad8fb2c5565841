import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import type { PemPair } from '../api/certificates.ts'
import { type ApiClient, KubeError } from './api-client.ts'
import { issueKubernetesCertificate } from './certificate.ts'
import { ignoreMissing } from './ignore-missing.ts'

const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const configuration = 'lab-drain-cleaner'
const lookAgainMs = 100

/** in the words of Strimzi's drain cleaner, whose operator moves the pod itself, later */
const refusal = { code: 500, message: 'The pod will be rolled by its operator' }

/** What the API server asks of a webhook, as far as this one reads it. */
type AdmissionReview = { request: { uid: string; namespace: string; name: string } }

/** An admission webhook that says no to evictions. It is there only while somebody wants it to be. */
export class EvictionWebhook {
  readonly #api: ApiClient
  readonly #authority: PemPair
  /** whether the eviction of this pod is to be refused */
  readonly #refuses: (namespace: string, name: string) => boolean
  #server: Server | undefined

  constructor(options: {
    api: ApiClient
    authority: PemPair
    refuses: (namespace: string, name: string) => boolean
    signal: AbortSignal
  }) {
    this.#api = options.api
    this.#authority = options.authority
    this.#refuses = options.refuses
    options.signal.addEventListener('abort', () => this.#hangUp())
  }

  /** Resolves when the API server asks it: from then on `pod`, which is to be refused, is not evicted. */
  async open(pod: { namespace: string; name: string }): Promise<void> {
    if (this.#server === undefined) await this.#listen()
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: pod }
    const where = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/eviction?dryRun=All`
    for (;;) {
      const asks = await this.#api.create(where, eviction).then(
        () => false,
        (error: unknown) => error instanceof KubeError && error.message.includes(refusal.message),
      )
      if (asks || this.#server === undefined) return
      await setTimeout(lookAgainMs)
    }
  }

  async close(): Promise<void> {
    await this.#api.delete(`${path}/${configuration}`).catch(ignoreMissing)
    this.#hangUp()
  }

  async #listen(): Promise<void> {
    const { crt, key } = await issueKubernetesCertificate(this.#authority, {
      server: configuration,
      addresses: ['127.0.0.1'],
      names: [],
    })
    const server = createServer({ cert: crt, key }, (request, response) => {
      void json(request).then((review) => {
        const { uid, namespace, name } = (review as AdmissionReview).request
        const allowed = !this.#refuses(namespace, name)
        const answer = { uid, allowed, ...(allowed ? {} : { status: refusal }) }
        const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    this.#server = server
    const { port } = server.address() as AddressInfo
    const evictions = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods/eviction'] }
    await this.#api.create(path, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: configuration },
      webhooks: [
        {
          name: 'drain-cleaner.lab.example',
          clientConfig: {
            url: `https://127.0.0.1:${port}/`,
            caBundle: Buffer.from(this.#authority.crt).toString('base64'),
          },
          rules: [evictions],
          failurePolicy: 'Fail',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    })
  }

  #hangUp(): void {
    this.#server?.close()
    this.#server?.closeAllConnections()
    this.#server = undefined
  }
}
