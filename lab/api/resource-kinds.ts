import { createHash } from 'node:crypto'
import type { Disk, LabNode } from '../lab-node.ts'
import { etcdResources } from './etcd-resources.ts'
import type { ResourceItem, ResourceKind } from './resource-kind.ts'
import { stageNumber } from './stage-number.ts'

/**
 * The resources that a lab node shows, with the types, namespaces, columns and field names of
 * pkg/machinery/resources. Everything is derived from the node's state at the moment of asking.
 */
export const resourceKinds: readonly ResourceKind[] = [
  {
    type: 'MachineStatuses.runtime.talos.dev',
    display: 'MachineStatus',
    namespace: 'runtime',
    columns: [
      ['Stage', '{.stage}'],
      ['Ready', '{.status.ready}'],
    ],
    live: true,
    spec: 'MachineStatusSpec',
    items(node) {
      const { stage, ready, unmetConditions } = node.state()
      return [
        {
          id: 'machine',
          yaml: { stage, status: { ready, unmetConditions } },
          proto: { stage: stageNumber[stage], status: { ready, unmet_conditions: unmetConditions } },
        },
      ]
    },
  },
  {
    type: 'Members.cluster.talos.dev',
    display: 'Member',
    namespace: 'cluster',
    columns: [
      ['Hostname', '{.hostname}'],
      ['Machine Type', '{.machineType}'],
      ['OS', '{.operatingSystem}'],
      ['Addresses', '{.addresses}'],
    ],
    spec: 'MemberSpec',
    items: (_node, cluster) => cluster.map(member),
  },
  {
    type: 'ExtensionStatuses.runtime.talos.dev',
    display: 'ExtensionStatus',
    namespace: 'runtime',
    aliases: ['extensions'],
    columns: [
      ['Name', '{.metadata.name}'],
      ['Version', '{.metadata.version}'],
    ],
    items: extensions,
  },
  etcdResources,
  {
    type: 'HostnameStatuses.net.talos.dev',
    display: 'HostnameStatus',
    namespace: 'network',
    aliases: ['hostname'],
    columns: [
      ['Hostname', '{.hostname}'],
      ['Domainname', '{.domainname}'],
    ],
    spec: 'HostnameStatusSpec',
    items(node) {
      const { hostname } = node.state()
      return [{ id: 'hostname', yaml: { hostname, domainname: '' }, proto: { hostname } }]
    },
  },
  {
    type: 'Disks.block.talos.dev',
    display: 'Disk',
    namespace: 'runtime',
    columns: [
      ['Size', '{.pretty_size}'],
      ['Read Only', '{.readonly}'],
      ['Transport', '{.transport}'],
      ['Rotational', '{.rotational}'],
      ['WWID', '{.wwid}'],
      ['Model', '{.model}'],
      ['Serial', '{.serial}'],
    ],
    spec: 'DiskSpec',
    items: (node) => node.state().disks.map(disk),
  },
  {
    type: 'SystemDisks.block.talos.dev',
    display: 'SystemDisk',
    namespace: 'runtime',
    columns: [['Disk', '{.diskID}']],
    spec: 'SystemDiskSpec',
    items: (node) =>
      systemDisks(node).map(({ devPath }) => ({
        id: 'system-disk',
        yaml: { diskID: nameOf(devPath), devPath },
        proto: { disk_id: nameOf(devPath), dev_path: devPath },
      })),
  },
  {
    type: 'DiscoveredVolumes.block.talos.dev',
    display: 'DiscoveredVolume',
    namespace: 'runtime',
    columns: [
      ['Type', '{.type}'],
      ['Size', '{.pretty_size}'],
      ['Discovered', '{.name}'],
      ['Label', '{.label}'],
      ['PartitionLabel', '{.partition_label}'],
    ],
    items: (node) => node.state().disks.flatMap(discoveredVolumes),
  },
  {
    type: 'VolumeStatuses.block.talos.dev',
    display: 'VolumeStatus',
    namespace: 'runtime',
    columns: [
      ['Type', '{.type}'],
      ['Phase', '{.phase}'],
      ['Location', '{.location}'],
      ['Size', '{.prettySize}'],
    ],
    spec: 'VolumeStatusSpec',
    items: (node) => systemDisks(node).flatMap(volumeStatuses),
  },
  {
    type: 'SecurityStates.talos.dev',
    display: 'SecurityState',
    namespace: 'runtime',
    columns: [
      ['SecureBoot', '{.secureBoot}'],
      ['UKISigningKeyFingerprint', '{.ukiSigningKeyFingerprint}'],
      ['PCRSigningKeyFingerprint', '{.pcrSigningKeyFingerprint}'],
      ['SELinuxState', '{.selinuxState}'],
      ['ModuleSignatureEnforced', '{.moduleSignatureEnforced}'],
    ],
    items(node) {
      const { secureBoot } = node.state()
      return [
        {
          id: 'securitystate',
          yaml: {
            secureBoot,
            selinuxState: 'enabled, permissive',
            fipsState: 'disabled',
            bootedWithUKI: secureBoot,
            moduleSignatureEnforced: true,
          },
        },
      ]
    },
  },
  {
    type: 'PlatformMetadatas.talos.dev',
    display: 'PlatformMetadata',
    namespace: 'runtime',
    columns: [
      ['Platform', '{.platform}'],
      ['Type', '{.instanceType}'],
      ['Region', '{.region}'],
      ['Zone', '{.zone}'],
    ],
    items: (node) => [{ id: 'platformmetadata', yaml: { platform: node.state().platform } }],
  },
  {
    type: 'MachineConfigs.config.talos.dev',
    display: 'MachineConfig',
    namespace: 'config',
    columns: [],
    sensitive: true,
    spec: 'MachineConfigSpec',
    items(node) {
      const { machineConfig, stagedConfig = machineConfig } = node.state()
      const configs = [
        ['persistent', stagedConfig],
        ['v1alpha1', machineConfig],
      ] as const
      return configs.map(([id, yaml]) => ({
        id,
        yaml,
        proto: { yaml_marshalled: Buffer.from(yaml) },
        // tells clients that the spec is one YAML string, not a structure
        annotations: { 'talos.dev/yaml-spec': '1' },
      }))
    },
  },
  {
    // /proc/cmdline, as an installer writes it with a schematic that adds nothing (pkg/machinery/kernel)
    type: 'KernelCmdlines.runtime.talos.dev',
    display: 'KernelCmdline',
    namespace: 'runtime',
    aliases: ['cmdline'],
    columns: [['Cmdline', '{.cmdline}']],
    items: (node) => [
      {
        id: 'cmdline',
        yaml: {
          cmdline: `BOOT_IMAGE=/${node.state().runningSlot}/vmlinuz talos.platform=metal console=ttyS0 console=tty0 init_on_alloc=1 slab_nomerge= pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on selinux=1`,
        },
      },
    ],
  },
  {
    type: 'MachineTypes.config.talos.dev',
    display: 'MachineType',
    namespace: 'config',
    columns: [['Type', '{@}']],
    spec: 'MachineTypeSpec',
    items: (node) => [{ id: 'machine-type', yaml: node.role, proto: { machine_type: machineTypeNumber[node.role] } }],
  },
  {
    type: 'Services.v1alpha1.talos.dev',
    display: 'Service',
    namespace: 'runtime',
    aliases: ['svc'],
    columns: [
      ['Running', '{.running}'],
      ['Healthy', '{.healthy}'],
      ['Health Unknown', '{.unknown}'],
    ],
    live: true,
    spec: 'ServiceSpec',
    // a service that does not run has no resource
    items: (node) =>
      node
        .state()
        .services.filter(({ running }) => running)
        .map(({ id, running, healthy }) => {
          const spec = { running, healthy, unknown: false }
          return { id, yaml: spec, proto: spec }
        }),
  },
  {
    type: 'Nodenames.kubernetes.talos.dev',
    display: 'Nodename',
    namespace: 'k8s',
    columns: [['Nodename', '{.nodename}']],
    spec: 'NodenameSpec',
    items(node) {
      const { hostname: nodename } = node.state()
      return [
        {
          id: 'nodename',
          yaml: { nodename, hostnameVersion: '1', skipNodeRegistration: false },
          proto: { nodename, hostname_version: '1', skip_node_registration: false },
        },
      ]
    },
  },
  {
    type: 'StaticPodStatuses.kubernetes.talos.dev',
    display: 'StaticPodStatus',
    namespace: 'k8s',
    columns: [['Ready', '{.phase}']],
    spec: 'StaticPodStatusSpec',
    items: (node) =>
      node.role === 'controlplane' && node.apiReachability() === 'answers'
        ? ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((component) => ({
            id: `kube-system/${component}-${node.state().hostname}`,
            yaml: { phase: 'Running' },
            proto: {},
          }))
        : [],
  },
  {
    type: 'BootstrapManifestsConfigs.kubernetes.talos.dev',
    display: 'BootstrapManifestsConfig',
    namespace: 'controlplane',
    columns: [['CNI', '{.cniName}']],
    spec: 'BootstrapManifestsConfigSpec',
    items: (node) =>
      node.role === 'controlplane'
        ? [{ id: 'manifests', yaml: { cniName: 'flannel' }, proto: { cni_name: 'flannel' } }]
        : [],
  },
  {
    type: 'KubeletSpecs.kubernetes.talos.dev',
    display: 'KubeletSpec',
    namespace: 'k8s',
    columns: [],
    sensitive: true,
    spec: 'KubeletSpecSpec',
    items(node) {
      const { kubernetesVersion, hostname } = node.state()
      const image = `ghcr.io/siderolabs/kubelet:${kubernetesVersion}`
      const args = [`--hostname-override=${hostname}`, `--node-ip=${node.address}`]
      return [
        {
          id: 'kubelet',
          yaml: { image, args, expectedNodename: hostname, config: {} },
          proto: { image, args, expected_nodename: hostname, config: { fields: {} } },
        },
      ]
    },
  },
  {
    type: 'MetaKeys.runtime.talos.dev',
    display: 'MetaKey',
    namespace: 'runtime',
    aliases: ['meta'],
    columns: [['Value', '{.value}']],
    // a running machined does not reload META after an installation: the tag `Upgrade`, the slot to fall back to, is seen
    // from the reboot on, until the boot is complete
    items(node) {
      const { fallBackTo } = node.state()
      return fallBackTo === undefined ? [] : [{ id: '0x06', yaml: { value: fallBackTo } }]
    },
  },
  {
    // processes of services on the host; of them only the installer's is simulated (internal/app/lifecycle/container.go)
    type: 'ServicePIDs.runtime.talos.dev',
    display: 'ServicePID',
    namespace: 'runtime',
    columns: [['PID', '{.pid}']],
    items: (node) => (node.state().installing ? [{ id: 'installer', yaml: { pid: 4242, mountNamespace: '' } }] : []),
  },
  {
    type: 'Versions.runtime.talos.dev',
    display: 'Version',
    namespace: 'runtime',
    columns: [
      ['Name', '{.name}'],
      ['Version', '{.version}'],
    ],
    spec: 'VersionSpec',
    items(node) {
      const spec = { name: 'Talos', version: node.state().version }
      return [{ id: 'version', yaml: spec, proto: spec }]
    },
  },
  {
    type: 'BootIDs.runtime.talos.dev',
    display: 'BootID',
    namespace: 'runtime',
    columns: [['Boot ID', '{.bootID}']],
    since: '1.14.0',
    items: (node) => [{ id: 'boot-id', yaml: { bootID: node.state().bootId } }],
  },
  {
    type: 'ImageFactorySchematics.runtime.talos.dev',
    display: 'ImageFactorySchematic',
    namespace: 'runtime',
    columns: [
      ['Schematic ID', '{.schematicId}'],
      ['Flavor', '{.flavor}'],
      ['API URL', '{.apiUrl}'],
    ],
    since: '1.14.0',
    items(node) {
      const { slots, runningSlot } = node.state()
      const schematicId = slots[runningSlot]?.schematic ?? ''
      const spec = { schematicId, flavor: 'Image Factory', apiUrl: 'https://factory.talos.dev' }
      return schematicId === '' ? [] : [{ id: 'image-factory-schematic', yaml: spec }]
    },
  },
  {
    type: 'ImageVerificationRules.security.talos.dev',
    display: 'ImageVerificationRule',
    namespace: 'security',
    columns: [
      ['Pattern', '{.imagePattern}'],
      ['Skip', '{.skip}'],
      ['Deny', '{.deny}'],
    ],
    since: '1.13.0',
    items: (node) => node.imageRules().map(({ id, ...spec }) => ({ id, yaml: spec })),
  },
  {
    type: 'Diagnostics.runtime.talos.dev',
    display: 'Diagnostic',
    namespace: 'runtime',
    columns: [['Message', '{.message}']],
    items: () => [],
  },
  {
    type: 'NodeAddresses.net.talos.dev',
    display: 'NodeAddress',
    namespace: 'network',
    columns: [
      ['Addresses', '{.addresses}'],
      ['SortAlgorithm', '{.sortAlgorithm}'],
    ],
    items: (node) =>
      ['accumulative', 'current', 'default', 'routed'].map((id) => ({
        id,
        yaml: { addresses: [`${node.address}/24`], sortAlgorithm: 'v1' },
      })),
  },
]

const machineTypeNumber = { controlplane: 2, worker: 3 } as const

function member(node: LabNode): ResourceItem {
  const { version, hostname } = node.state()
  const nodeId = createHash('sha256').update(node.name).digest('base64url')
  const operatingSystem = `Talos (${version})`
  const isControlPlane = node.role === 'controlplane'
  return {
    id: hostname,
    yaml: {
      nodeId,
      addresses: [node.address],
      hostname,
      machineType: node.role,
      operatingSystem,
      ...(isControlPlane ? { controlPlane: { port: 6443 } } : {}),
    },
    proto: {
      node_id: nodeId,
      addresses: [{ ip: Buffer.from(node.address.split('.').map(Number)) }],
      hostname,
      machine_type: machineTypeNumber[node.role],
      operating_system: operatingSystem,
      ...(isControlPlane ? { control_plane: { api_server_port: 6443 } } : {}),
    },
  }
}

/**
 * Extensions are layers of the image, their numbers are their ids. Image Factory adds one named `schematic`, whose
 * version is the schematic's id; an image from elsewhere has none.
 */
function extensions(node: LabNode): ResourceItem[] {
  const { slots, runningSlot, version } = node.state()
  const slot = slots[runningSlot]
  if (slot === undefined) return []
  const layers = slot.extensions.map((full) => {
    // official extensions are listed under their short name
    const name = full.replace(/^siderolabs\//, '')
    return { name, version, author: 'Sidero Labs', description: `The ${name} extension`, compatibility: anyTalos }
  })
  const schematic = {
    name: 'schematic',
    version: slot.schematic,
    author: 'Image Factory',
    description: 'Virtual extension which specifies the schematic of the image built with Image Factory.',
    compatibility: { talos: { version: '' } },
    extraInfo:
      slot.extensions.length === 0
        ? 'customization: {}\n'
        : `customization:\n    systemExtensions:\n        officialExtensions:\n${slot.extensions.map((name) => `            - ${name}\n`).join('')}`,
  }
  return [...layers, ...(slot.schematic === '' ? [] : [schematic])].map((metadata, index) => ({
    id: String(index),
    yaml: { image: `${index}.sqsh`, metadata },
  }))
}

const anyTalos = { talos: { version: '>= 1.0.0' } }

const nameOf = (devPath: string): string => devPath.replace(/^\/dev\//, '')

const systemDisks = (node: LabNode): readonly Disk[] => node.state().disks.filter(({ system }) => system)

/** go-humanize's Bytes: powers of 1000, two digits below ten. */
function prettySize(bytes: number): string {
  if (bytes < 10) return `${bytes} B`
  const exponent = Math.floor(Math.log(bytes) / Math.log(1000))
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${['B', 'kB', 'MB', 'GB', 'TB', 'PB'][exponent]}`
}

function disk(of: Disk): ResourceItem {
  const pretty = prettySize(of.sizeBytes)
  return {
    id: nameOf(of.devPath),
    yaml: {
      dev_path: of.devPath,
      size: of.sizeBytes,
      pretty_size: pretty,
      io_size: 512,
      sector_size: 512,
      readonly: of.readonly,
      cdrom: false,
      model: of.model,
      serial: of.serial,
      wwid: of.wwid,
      bus_path: of.busPath,
      sub_system: '/sys/class/block',
      transport: of.transport,
      ...(of.rotational ? { rotational: true } : {}),
    },
    proto: {
      size: of.sizeBytes,
      io_size: 512,
      sector_size: 512,
      readonly: of.readonly,
      model: of.model,
      serial: of.serial,
      wwid: of.wwid,
      bus_path: of.busPath,
      transport: of.transport,
      rotational: of.rotational,
      dev_path: of.devPath,
      pretty_size: pretty,
    },
  }
}

const mebi = 2 ** 20

/** Partitions of a Talos system disk in order; EPHEMERAL takes the rest. */
const partitions = [
  { label: 'EFI', filesystem: 'vfat', size: 2100 * mebi },
  { label: 'META', filesystem: 'talosmeta', size: mebi },
  { label: 'STATE', filesystem: 'xfs', size: 100 * mebi },
  { label: 'EPHEMERAL', filesystem: 'xfs', size: undefined },
] as const

function partitionsOf({ devPath, sizeBytes }: Disk) {
  let offset = mebi
  return partitions.map(({ label, filesystem, size = sizeBytes - offset - mebi }, index) => {
    const partition = {
      label,
      filesystem,
      size,
      offset,
      index: index + 1,
      devPath: `${devPath}${/\d$/.test(devPath) ? 'p' : ''}${index + 1}`,
    }
    offset += size
    return partition
  })
}

function discoveredVolumes(of: Disk): ResourceItem[] {
  const whole: ResourceItem = {
    id: nameOf(of.devPath),
    yaml: {
      dev_path: of.devPath,
      type: 'disk',
      device_path: of.busPath,
      offset: 0,
      size: of.sizeBytes,
      pretty_size: prettySize(of.sizeBytes),
      sector_size: 512,
      io_size: 512,
      name: of.system ? 'gpt' : '',
    },
  }
  if (!of.system) return [whole]
  return [
    whole,
    ...partitionsOf(of).map(({ label, filesystem, size, offset, index, devPath }) => ({
      id: nameOf(devPath),
      yaml: {
        dev_path: devPath,
        type: 'partition',
        device_path: `${of.busPath}/${nameOf(devPath)}`,
        parent: nameOf(of.devPath),
        parent_dev_path: of.devPath,
        offset,
        size,
        pretty_size: prettySize(size),
        sector_size: 512,
        io_size: 512,
        name: filesystem,
        label,
        partition_label: label,
        partition_index: index,
      },
    })),
  ]
}

/** Number of VOLUME_PHASE_READY (enums.proto). */
const volumePhaseReady = 6

function volumeStatuses(of: Disk): ResourceItem[] {
  return partitionsOf(of)
    .filter(({ label }) => label !== 'EFI')
    .map(({ label, filesystem, size, index, devPath }) => ({
      id: label,
      yaml: {
        phase: 'ready',
        type: 'partition',
        location: devPath,
        mountLocation: devPath,
        partitionIndex: index,
        parentLocation: of.devPath,
        size,
        prettySize: prettySize(size),
        filesystem: filesystem === 'talosmeta' ? 'none' : filesystem,
      },
      proto: {
        phase: volumePhaseReady,
        location: devPath,
        parent_location: of.devPath,
        size,
        pretty_size: prettySize(size),
      },
    }))
}
