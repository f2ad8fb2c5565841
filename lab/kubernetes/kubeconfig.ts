import { stringify } from 'yaml'
import { issueKubernetesCertificate } from './certificate.ts'
import type { ClusterIdentity } from './cluster-identity.ts'

/** An administrator's kubeconfig with a new certificate for each call, as Talos makes it. */
export async function kubeconfig({ name, endpoint, authority }: ClusterIdentity): Promise<string> {
  const { crt, key } = await issueKubernetesCertificate(authority, { client: 'admin', groups: ['system:masters'] })
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const user = `admin@${name}`
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: endpoint, 'certificate-authority-data': base64(authority.crt) } }],
    users: [{ name: user, user: { 'client-certificate-data': base64(crt), 'client-key-data': base64(key) } }],
    contexts: [{ name: user, context: { cluster: name, namespace: 'default', user } }],
    'current-context': user,
  })
}
