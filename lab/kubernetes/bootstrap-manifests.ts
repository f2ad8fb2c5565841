import type { KubeObject } from './api-client.ts'

const tolerant = [{ operator: 'Exists' }]

/** What Talos applies to every new cluster, as far as somebody looks for it: its CNI, kube-proxy and CoreDNS. */
export function bootstrapManifests(kubernetesVersion: string): KubeObject[] {
  return [
    daemonSet('kube-flannel', 'ghcr.io/siderolabs/flannel:v0.27.4'),
    daemonSet('kube-proxy', `registry.k8s.io/kube-proxy:${kubernetesVersion}`),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
      spec: {
        replicas: 2,
        selector: { matchLabels: { 'k8s-app': 'kube-dns' } },
        template: {
          metadata: { labels: { 'k8s-app': 'kube-dns' } },
          spec: {
            priorityClassName: 'system-cluster-critical',
            tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }],
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  {
                    weight: 100,
                    podAffinityTerm: {
                      topologyKey: 'kubernetes.io/hostname',
                      labelSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
                    },
                  },
                ],
              },
            },
            containers: [{ name: 'coredns', image: 'registry.k8s.io/coredns/coredns:v1.13.2' }],
          },
        },
      },
    },
  ]
}

function daemonSet(name: string, image: string): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system', labels: { 'k8s-app': name } },
    spec: {
      selector: { matchLabels: { 'k8s-app': name } },
      template: {
        metadata: { labels: { 'k8s-app': name } },
        spec: {
          hostNetwork: true,
          priorityClassName: 'system-node-critical',
          tolerations: tolerant,
          containers: [{ name, image }],
        },
      },
    },
  }
}
