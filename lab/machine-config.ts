import semver from 'semver'
import { parseAllDocuments } from 'yaml'

/** Documents that Talos 1.14 brought, without `Config` behind their names (pkg/machinery/config/types at v1.14.1). */
const kindsOf114 =
  `BGPInstance CRIBaseRuntimeSpec CRICustomization Container DiscoveryIdentity DiscoveryService EtcFile FilesystemScrub
  FilesystemTrim HTTPProbe ImageCache KernelModule KubeAPIServerCA KubeAPIServer KubeAdmissionControl KubeAggregatorCA
  KubeAuditPolicy KubeAuthentication KubeAuthorizer KubeCluster KubeControllerManager KubeCoreDNS KubeCredentialProvider
  KubeEtcdEncryption KubeExternalManifest KubeFlannelCNI KubeInlineManifest KubeNetwork KubeNode KubePrism KubeProxy
  KubeScheduler KubeServiceAccount KubeStaticPod KubeTalosAPIAccess Kubelet LVMLogicalVolume LVMVolumeGroup RAIDArray
  SecurityProfile Sysctl Sysfs UdevRules UnattendedInstall Veth`
    .split(/\s+/)
    .map((name) => `${name}Config`)

/** A kind that no release knows: what the fault config-unreadable leaves on the disk. */
const unknownKind = 'UnheardOfConfig'

/** Kubernetes releases that Talos 1.14 takes (compatibility/talos114): the older ones do not look at the boot. */
const kubernetesOf114 = { from: '1.32.0', below: '1.38.0' }

type Document = {
  kind?: unknown
  machine?: { kubelet?: { image?: string }; install?: { extraKernelArgs?: unknown[]; grubUseUKICmdline?: boolean } }
}

/**
 * What `release` has against a machine configuration, in Talos' words: its installer says so before it touches the disk,
 * and its boot stops there for ever. Undefined when it has nothing.
 */
export function configObjection(text: string, release: string): string | undefined {
  const is114 = semver.gte(release, '1.14.0-alpha.0')
  const documents = parseAllDocuments(text).map((document) => (document.toJS() ?? {}) as Document)
  const unknown = documents.find(
    ({ kind }) => kind === unknownKind || (!is114 && typeof kind === 'string' && kindsOf114.includes(kind)),
  )
  if (unknown !== undefined) {
    return `error loading machine configuration: error decoding document: "${unknown.kind}" "v1alpha1": not registered`
  }
  const { kubelet, install } = documents.find(({ machine }) => machine !== undefined)?.machine ?? {}
  const problems: string[] = []
  if (semver.gte(release, '1.13.4') && (install?.extraKernelArgs ?? []).length > 0 && install?.grubUseUKICmdline) {
    problems.push("install.extraKernelArgs and install.grubUseUKICmdline can't be used together")
  }
  const kubernetes = is114 && kubelet?.image !== undefined ? kubernetesProblem(kubelet.image, release) : undefined
  if (kubernetes !== undefined) problems.push(`kubelet image is not valid: ${kubernetes}`)
  if (problems.length === 0) return undefined
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`
  return `machine configuration is invalid: ${count} occurred:\n${problems.map((problem) => `\t* ${problem}\n`).join('')}\n`
}

function kubernetesProblem(image: string, release: string): string | undefined {
  const version = /:v(\d+\.\d+\.\d+[^@]*)(?:@|$)/.exec(image)?.[1]
  if (version === undefined) {
    const quoted = JSON.stringify(image)
    return `failed to parse Kubernetes version from image reference ${quoted}: invalid image reference: ${quoted}`
  }
  const talos = release.replace(/^v/, '')
  if (semver.lt(version, kubernetesOf114.from)) {
    return `version of Kubernetes ${version} is too old to be used with Talos ${talos}`
  }
  if (semver.gte(version, kubernetesOf114.below)) {
    return `version of Kubernetes ${version} is too new to be used with Talos ${talos}`
  }
  return undefined
}

/** The configuration after somebody else has added to it: a document that every release knows, or one that none does. */
export function withSomebodysChange(text: string, readable: boolean): string {
  const document = readable
    ? 'kind: KmsgLogConfig\nname: somebody\nurl: tcp://192.0.2.1:3333\n'
    : `kind: ${unknownKind}\nname: somebody\n`
  return `${text.trimEnd()}\n---\napiVersion: v1alpha1\n${document}`
}
