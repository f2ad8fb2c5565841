// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of talhelper
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readYaml, readYamlDocuments } from '../../../../workflows/model/declaration/yaml-source.ts'
import { problemText } from '../../../../workflows/model/problem.ts'
import { lint } from '../../../../workflows/plan/lint/lint.ts'

type Files = {
  talconfig?: string
  /** by path; all are referred to by every control plane unless talconfig is given */
  patches?: Record<string, string>
  cilium?: string
  variables?: string[]
}

/** One control plane and one worker, which nothing is said against. */
const talconfig = (...more: string[]): string =>
  `clusterName: cluster-7
endpoint: https://10.0.0.10:6443
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
  - hostname: worker-1
    ipAddress: 10.0.0.21
${more.join('\n')}
`

const withPatch = 'controlPlane:\n  patches: ["@./patches/p.yaml"]'

function said({ talconfig: text = talconfig(withPatch), patches = {}, cilium, variables = [] }: Files): string {
  const problems = lint({
    talconfig: readYaml({ path: 'talconfig.yaml', text }),
    patches: Object.entries(patches).map(([path, text]) => ({ path, documents: readYamlDocuments({ path, text }) })),
    ...(cilium !== undefined && { cilium: readYaml({ path: 'cilium.yaml', text: cilium }) }),
    variables,
  })
  return problems.map(problemText).join('\n')
}

const patch = (text: string): Files => ({ patches: { 'patches/p.yaml': text } })

function finds(name: string, files: Files, ...expected: string[]): void {
  test(name, () => assert.is(said(files), expected.join('\n')))
}

const leaves = (name: string, files: Files): void => finds(name, files)

leaves('has nothing to say of a plain cluster', { talconfig: talconfig() })

finds(
  'moves extensions from machine.install into the schematic',
  patch('machine:\n  install:\n    extensions:\n      - image: ghcr.io/siderolabs/iscsi-tools:v0.1.4\n'),
  'patches/p.yaml:3:5: machine.install.extensions does not install anything any more: extensions are part of the image (schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/iscsi-tools]}}})',
)
finds(
  'knows the extension of an image by its digest and at a registry with a port',
  patch(
    'machine:\n  install:\n    extensions:\n      - image: localhost:5000/siderolabs/intel-ucode:20240531@sha256:abc\n      - image: ghcr.io/siderolabs/lldpd\n',
  ),
  'patches/p.yaml:3:5: machine.install.extensions does not install anything any more: extensions are part of the image (schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/intel-ucode, siderolabs/lldpd]}}})',
)
leaves('leaves the rest of machine.install alone', patch('machine:\n  install:\n    disk: /dev/sda\n    wipe: false\n'))

finds(
  'tells of the flag that ends the kubelet, of values that are no text, and of what is on anyway',
  patch(
    'machine:\n  kubelet:\n    extraArgs:\n      allow-privileged: true\n      max-pods: 250\n      feature-gates: A=true,GracefulNodeShutdown=true\n',
  ),
  'patches/p.yaml:4:7: the kubelet has no flag --allow-privileged any more, and ends when it is given one that it does not know (remove it, and allow privileged pods by a label of their namespace, pod-security.kubernetes.io/enforce=privileged)',
  'patches/p.yaml:5:7: warning: values of extraArgs are text, and max-pods is not (max-pods: "250")',
  'patches/p.yaml:6:7: warning: GracefulNodeShutdown is on without its feature gate (remove it)',
)
finds(
  "asks who signs the kubelet's server certificates",
  patch('machine:\n  kubelet:\n    extraArgs:\n      rotate-server-certificates: "true"\n'),
  "patches/p.yaml:4:7: warning: nobody signs the kubelet's server certificates by default, and without them logs and metrics fail (install a CSR approver, such as kubelet-serving-cert-approver, or remove the flag)",
)
leaves('leaves arguments that are text alone', patch('machine:\n  kubelet:\n    extraArgs:\n      max-pods: "250"\n'))

finds(
  'tells that a worker can not give itself the label of a role, wherever it is written',
  {
    talconfig: talconfig(
      '    nodeLabels:',
      '      node-role.kubernetes.io/worker: ""',
      '  - hostname: worker-2',
      '    ipAddress: 10.0.0.22',
      'worker:',
      '  patches: ["@./patches/w.yaml"]',
    ),
    patches: { 'patches/w.yaml': 'machine:\n  nodeLabels:\n    node-role.kubernetes.io/storage: big\n' },
  },
  'patches/w.yaml:3:5: warning: Kubernetes does not let a worker give itself the label node-role.kubernetes.io/storage (once it has joined: kubectl label node worker-1 worker-2 node-role.kubernetes.io/storage=big)',
  'talconfig.yaml:10:7: warning: Kubernetes does not let a worker give itself the label node-role.kubernetes.io/worker (once it has joined: kubectl label node worker-1 node-role.kubernetes.io/worker=)',
)
leaves('leaves labels of control planes, and other labels of workers, alone', {
  talconfig: talconfig(
    '    nodeLabels:',
    '      example.com/rack: a',
    'controlPlane:',
    '  nodeLabels:',
    '    node-role.kubernetes.io/control-plane: ""',
  ),
})

const converged = (...more: string[]): string =>
  `clusterName: cluster-7
nodes:
  - hostname: cp-1
    ipAddress: 10.0.0.11
    controlPlane: true
${more.join('\n')}
`

finds(
  'lets pods onto the control planes where there is nothing else, by default and against a taint',
  {
    talconfig: converged('controlPlane:', '  nodeTaints:', '    node-role.kubernetes.io/control-plane: :NoSchedule'),
  },
  'talconfig.yaml:2:1: warning: every node is a control plane, and pods are kept off control planes by default (allowSchedulingOnControlPlanes: true)',
  'talconfig.yaml:8:5: warning: every node is a control plane, and pods are kept off all of them (remove the taint)',
)
leaves('takes either name of allowSchedulingOnControlPlanes', {
  talconfig: converged('allowSchedulingOnMasters: true'),
})
leaves('takes allowSchedulingOnControlPlanes from a patch', {
  talconfig: converged('patches:', '  - |-', '    cluster:', '      allowSchedulingOnControlPlanes: true'),
})
leaves('leaves the taint alone where there are workers', {
  talconfig: talconfig('controlPlane:', '  nodeTaints:', '    node-role.kubernetes.io/control-plane: :NoSchedule'),
})

const schematic = (extension: string): string[] => [
  '    schematic:',
  '      customization:',
  '        systemExtensions:',
  '          officialExtensions:',
  `            - ${extension}`,
]

finds(
  'misses the configuration that a service waits for',
  { talconfig: talconfig(...schematic('siderolabs/lldpd')) },
  'talconfig.yaml:13:15: ext-lldpd waits for its configuration, and the node never ends booting without (extensionServices: [{name: lldpd, configFiles: [{mountPath: /usr/local/etc/lldpd/lldpd.conf, content: configure lldp status tx-only}]}])',
)
finds(
  'misses it of others too',
  { talconfig: talconfig(...schematic('siderolabs/tailscale')) },
  'talconfig.yaml:13:15: ext-tailscale waits for its configuration, and the node never ends booting without (extensionServices: [{name: tailscale, environment: [TS_AUTHKEY=<key>]}])',
)
leaves('finds the configuration in talconfig', {
  talconfig: talconfig(
    ...schematic('siderolabs/lldpd'),
    'worker:',
    '  extensionServices:',
    '    - name: lldpd',
    '      configFiles: []',
  ),
})
leaves('finds the configuration in a document of a patch', {
  talconfig: talconfig(...schematic('siderolabs/lldpd'), '    patches: ["@./patches/p.yaml"]'),
  ...patch('machine: {}\n---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: lldpd\nconfigFiles: []\n'),
})
leaves('wants none for a service that does not wait', { talconfig: talconfig(...schematic('siderolabs/iscsi-tools')) })

const lldpd =
  'extensionServices: [{name: lldpd, configFiles: [{mountPath: /usr/local/etc/lldpd/lldpd.conf, content: configure lldp status tx-only}]}]'
finds(
  'knows the forms that do not configure lldpd',
  patch(
    [
      'machine:',
      '  files:',
      '    - path: /etc/lldpd.conf',
      '  env:',
      '    LLDPD_OPTIONS: -r',
      '  extensionServiceConfigs:',
      '    - name: lldpd',
      'cluster:',
      '  extraManifests:',
      '    - https://example.com/lldpd.yaml',
      '  inlineManifests:',
      '    - name: switch',
      '      contents: |',
      '        kind: ExtensionServiceConfig',
    ].join('\n'),
  ),
  'patches/p.yaml:2:3: warning: machine.files is about to go: Talos 1.14 warns of it, and a warning is an error to talhelper (a service of an extension has extensionServices; for others there are documents such as UdevRulesConfig)',
  `patches/p.yaml:3:7: lldpd is not configured by this: extension services do not see files of the host (${lldpd})`,
  `patches/p.yaml:5:5: lldpd is not configured by this: machine.env is for Talos itself (${lldpd})`,
  `patches/p.yaml:6:3: machine.extensionServiceConfigs is no field: each is a document of its own (${lldpd})`,
  `patches/p.yaml:10:7: lldpd is not configured by this: extension services are no part of Kubernetes (${lldpd})`,
  'patches/p.yaml:12:7: an ExtensionServiceConfig is a document of the machine configuration, and no manifest (extensionServices: [{name: <service>, configFiles: []}])',
)
leaves(
  'leaves variables and manifests of others alone',
  patch(
    'machine:\n  env:\n    http_proxy: http://10.0.0.1:3128\ncluster:\n  extraManifests:\n    - https://example.com/cni.yaml\n',
  ),
)

finds(
  'keeps the three names of an extension apart',
  {
    talconfig: talconfig(
      ...schematic('ext-iscsi-tools'),
      '    extensionServices:',
      '      - name: ext-lldpd',
      '        configFiles: []',
    ),
  },
  'talconfig.yaml:13:15: no extension is called ext-iscsi-tools (siderolabs/iscsi-tools)',
  'talconfig.yaml:15:15: the configuration of a service is called like its extension, and not ext-lldpd (name: lldpd)',
)
leaves('takes each name where it belongs', {
  talconfig: talconfig(
    ...schematic('siderolabs/lldpd'),
    '    extensionServices:',
    '      - name: lldpd',
    '        configFiles: []',
  ),
})

finds(
  'finds every $ that talhelper would replace, in files and in talconfig',
  {
    talconfig: talconfig('    patches:', '      - |-', '        # $comment', '        machine:', '          a: ${B}'),
    ...patch('machine:\n  udev:\n    rules:\n      - \'ENV{ID}=="$name"\' # $ignored\ncluster:\n  $patch: delete\n'),
  },
  'patches/p.yaml:4:20: talhelper replaces $name, and knows no variable name ($$name is a plain $name)',
  'patches/p.yaml:6:3: talhelper replaces $patch, and knows no variable patch ($$patch is a plain $patch)',
  'talconfig.yaml:11:11: talhelper replaces $comment, and knows no variable comment ($$comment is a plain $comment)',
  'talconfig.yaml:13:14: talhelper replaces ${B}, and knows no variable B ($${B} is a plain ${B})',
)
leaves('leaves known variables, defaults, doubled and lonely $ alone', {
  talconfig: talconfig(withPatch, 'talosVersion: ${talosVersion}', '# $comment'),
  ...patch("machine:\n  a: $$x $${y} $$$$z\n  b: ${c:-d} ${e-f} ${g:=h}\n  i: 'a$ $' # $j\n  k: $talosVersion $_\n"),
  variables: ['talosVersion'],
})
finds(
  'tells that braces begin a Go template',
  patch('machine:\n  sysctls:\n    a: "{{ .x }}" # {{\n'),
  'patches/p.yaml:3:9: warning: talhelper takes {{ in a patch for the beginning of a Go template ({{ "{{" }} is a plain {{)',
)
leaves('leaves braces in talconfig alone', {
  talconfig: talconfig('    nodeAnnotations:', '      a: "{{ .ClusterName }}"'),
})

finds(
  'writes a JSON patch as a merge',
  patch(
    '- op: add\n  path: /machine/sysctls\n  value: {vm.swappiness: "1"}\n- op: remove\n  path: /cluster/apiServer/admissionControl\n',
  ),
  'patches/p.yaml:1:1: JSON patches can not be applied to the configuration of Talos 1.12 and later ({machine: {sysctls: {vm.swappiness: "1"}}, cluster: {apiServer: {admissionControl: {$$patch: delete}}}})',
)
finds(
  'reads JSON as well, within talconfig, and says where a merge can not do the same',
  { talconfig: talconfig('    patches:', '      - \'[{"op": "remove", "path": "/machine/files/0"}]\'') },
  'talconfig.yaml:10:9: JSON patches can not be applied to the configuration of Talos 1.12 and later (write it as a strategic merge patch)',
)
finds(
  'reads a JSON patch with something in it that is none',
  patch('- op: add\n  path: /machine/env\n  value: {}\n- null\n'),
  'patches/p.yaml:1:1: JSON patches can not be applied to the configuration of Talos 1.12 and later (write it as a strategic merge patch)',
)
leaves('leaves merge patches alone', patch('machine:\n  sysctls:\n    op: add\n'))

finds(
  "tells where a patch for all wins over a node's own",
  {
    talconfig: talconfig(
      '    patches:',
      '      - |-',
      '        machine:',
      '          sysctls:',
      '            vm.swappiness: "1"',
      '            vm.dirty_ratio: "5"',
      'patches: ["@./patches/p.yaml"]',
    ),
    ...patch('machine:\n  sysctls:\n    vm.swappiness: "10"\n    vm.dirty_ratio: "5"\n'),
  },
  'talconfig.yaml:13:13: warning: machine.sysctls.vm.swappiness is "1" here, but "10" in the end, from patches/p.yaml:3 (talhelper applies patches: at the top level last; move that one to controlPlane.patches and worker.patches)',
)
finds(
  'holds documents of the same kind and name against each other',
  {
    talconfig: talconfig('worker:', '  patches:', '    - "@./patches/w.yaml"', 'patches: ["@./patches/p.yaml"]'),
    patches: {
      'patches/w.yaml': 'kind: A\nname: x\nsize: 1\n---\nkind: A\nname: y\nsize: 1\n',
      'patches/p.yaml': 'kind: A\nname: x\nsize: 2\n',
    },
  },
  'patches/w.yaml:3:1: warning: A x size is 1 here, but 2 in the end, from patches/p.yaml:3 (talhelper applies patches: at the top level last; move that one to controlPlane.patches and worker.patches)',
)
leaves('lets what a role says override nothing', {
  talconfig: talconfig(
    '    patches:',
    '      - |-',
    '        machine: {sysctls: {a: "1"}}',
    'worker:',
    '  patches: ["@./patches/p.yaml"]',
  ),
  ...patch('machine:\n  sysctls:\n    a: "2"\n'),
})

const mac = (key: string): string[] => [
  '    installDiskSelector:',
  '      model: "APPLE*"',
  '    volumes:',
  '      - name: STATE',
  '        encryption:',
  '          provider: luks2',
  '          keys:',
  '            - slot: 0',
  `              ${key}: {}`,
]
finds(
  'knows a Mac mini by its disk, and that it has no TPM',
  { talconfig: talconfig(...mac('tpm')) },
  'talconfig.yaml:17:15: warning: worker-1 looks like a Mac mini, which has no TPM: its disk could not be encrypted (nodeID: {})',
)
finds(
  'knows a Mac mini by its label, and looks into patches',
  {
    talconfig: talconfig('    nodeLabels: {machine: mac-mini}', '    patches: ["@./patches/p.yaml"]'),
    ...patch('machine:\n  systemDiskEncryption:\n    state:\n      keys:\n        - slot: 0\n          tpm: {}\n'),
  },
  'patches/p.yaml:6:11: warning: worker-1 looks like a Mac mini, which has no TPM: its disk could not be encrypted (nodeID: {})',
)
leaves('leaves a key of the node id on a Mac mini alone', { talconfig: talconfig(...mac('nodeID')) })

finds(
  'makes user volumes of machine.disks',
  patch(
    [
      'machine:',
      '  disks:',
      '    - device: /dev/sdb',
      '      partitions:',
      '        - mountpoint: /var/lib/extra',
      '    - device: /dev/disk/by-id/usb-T5*',
      '      partitions:',
      '        - mountpoint: /var/mnt/usb',
    ].join('\n'),
  ),
  `patches/p.yaml:2:3: warning: machine.disks is deprecated: a disk for data is a user volume (userVolumes: [{name: extra, provisioning: {diskSelector: {match: 'disk.dev_path == "/dev/sdb"'}, minSize: 1GiB, grow: true}}, {name: usb, provisioning: {diskSelector: {match: 'disk.symlinks.exists(link, glob("/dev/disk/by-id/usb-T5*", link))'}, minSize: 1GiB, grow: true}}])`,
)
finds(
  'knows that machine.userVolumes is no field',
  patch('machine:\n  userVolumes:\n    - name: longhorn\n'),
  'patches/p.yaml:2:3: machine.userVolumes is no field: each user volume is a document of its own (userVolumes of the node in talconfig, or a patch with {apiVersion: v1alpha1, kind: UserVolumeConfig, name: longhorn})',
)
leaves(
  'leaves a document for a user volume alone',
  patch('apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: longhorn\n'),
)

finds(
  'tells what machine.install must not say',
  patch(
    [
      'machine:',
      '  install:',
      '    extraKernelArgs: [net.ifnames=0]',
      '    wipe: true',
      `    image: https://factory.talos.dev/image/${'ab'.repeat(32)}/v1.13.9/metal-amd64.tar.gz`,
    ].join('\n'),
  ),
  'patches/p.yaml:3:5: kernel arguments are part of the image: Talos refuses extraKernelArgs beside grubUseUKICmdline (schematic: {customization: {extraKernelArgs: [net.ifnames=0]}})',
  'patches/p.yaml:4:5: warning: every installation would empty the disk (wipe: false)',
  `patches/p.yaml:5:5: an installer is the name of a container image, and no address to download from (talosImageURL: factory.talos.dev/metal-installer/${'ab'.repeat(32)})`,
)
leaves(
  'leaves kernel arguments alone where GRUB takes them',
  patch(
    'machine:\n  install:\n    extraKernelArgs: [a=b]\n    grubUseUKICmdline: false\n    image: ghcr.io/siderolabs/installer:v1.13.9\n',
  ),
)

const VANILLA = 'factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'
finds(
  'tells of an installer that is not published any more, in a patch and in talconfig',
  {
    talconfig: talconfig(
      '    talosImageURL: ghcr.io/siderolabs/installer',
      'talosVersion: v1.14.1',
      'controlPlane: {patches: ["@./patches/p.yaml"]}',
    ),
    ...patch('machine:\n  install:\n    image: ghcr.io/siderolabs/installer:v1.14.0\n'),
  },
  `patches/p.yaml:3:5: warning: ghcr.io/siderolabs/installer is not published for v1.14.0: nothing could be installed from it (${VANILLA}:v1.14.0)`,
  `talconfig.yaml:9:5: warning: ghcr.io/siderolabs/installer is not published for v1.14.1: nothing could be installed from it (${VANILLA})`,
)
leaves('leaves an installer alone that is published', {
  talconfig: talconfig(
    '    talosImageURL: ghcr.io/siderolabs/installer',
    'talosVersion: v1.13.9',
    'controlPlane: {patches: ["@./patches/p.yaml"]}',
  ),
  ...patch('machine:\n  install:\n    image: factory.talos.dev/metal-installer/x:v1.14.1\n'),
})

finds(
  'knows settings that do nothing',
  patch('cluster:\n  apiServer:\n    disablePodSecurityPolicy: true\n'),
  'patches/p.yaml:3:5: warning: Kubernetes has no PodSecurityPolicy any more, since 1.25 (remove it)',
)
leaves('leaves the rest of the API server alone', patch('cluster:\n  apiServer:\n    certSANs: [a]\n'))

const cilium = (port: number, replaces = true): string =>
  `kubeProxyReplacement: ${replaces}\nk8sServiceHost: localhost\nk8sServicePort: ${port}\n`
const forCilium = 'cluster:\n  network:\n    cni:\n      name: none\n  proxy:\n    disabled: true\n'
const withGlobal = talconfig('patches: ["@./patches/p.yaml"]')
finds(
  'holds the port that Cilium asks against that of KubePrism',
  { talconfig: withGlobal, ...patch(forCilium), cilium: cilium(6443) },
  'cilium.yaml:3:1: warning: Cilium asks port 6443, and KubePrism has 7445 by default (k8sServicePort: 7445)',
)
finds(
  'takes the port of a patch, and finds KubePrism off',
  {
    talconfig: `${withGlobal}controlPlane:\n  patches: ["@./patches/c.yaml"]\nworker:\n  patches: ["@./patches/w.yaml"]\n`,
    patches: {
      'patches/p.yaml': forCilium,
      'patches/c.yaml': 'machine:\n  features:\n    kubePrism: {enabled: true, port: 7446}\n',
      'patches/w.yaml': 'machine:\n  features:\n    kubePrism:\n      enabled: false\n',
    },
    cilium: cilium(7445),
  },
  'cilium.yaml:3:1: warning: Cilium asks port 7445, and KubePrism has 7446 at patches/c.yaml:3 (k8sServicePort: 7446)',
  'patches/w.yaml:4:7: warning: Cilium asks KubePrism for the Kubernetes API, at cilium.yaml:2 (kubePrism: {enabled: true})',
)
leaves('leaves Cilium alone that asks the right port', {
  talconfig: withGlobal,
  ...patch(forCilium),
  cilium: cilium(7445),
})
leaves('leaves Cilium alone that asks the load balancer', {
  talconfig: withGlobal,
  ...patch(forCilium),
  cilium: 'kubeProxyReplacement: true\nk8sServiceHost: 10.0.0.10\nk8sServicePort: 6443\n',
})

finds(
  'asks for a network plugin where Talos installs none',
  { talconfig: talconfig('cniConfig:', '  name: none') },
  'talconfig.yaml:10:3: warning: no network plugin is configured here: nodes stay NotReady until one is installed (cniConfig: {name: flannel}, or the values of Cilium beside the templates)',
)
finds(
  'wants Cilium to be the only plugin, and to take over from kube-proxy only where it is off',
  { talconfig: talconfig(), cilium: cilium(7445) },
  'cilium.yaml:1:1: warning: Cilium replaces kube-proxy, and Talos runs it (cluster: {proxy: {disabled: true}})',
  'talconfig.yaml:1:1: warning: Cilium and the plugin that Talos installs would both be there (cniConfig: {name: none})',
)
finds(
  'wants somebody to serve services',
  { talconfig: withGlobal, ...patch(forCilium), cilium: 'kubeProxyReplacement: false\n' },
  'patches/p.yaml:6:5: kube-proxy is off, and Cilium does not replace it: no service would work (kubeProxyReplacement: true)',
)
leaves('takes kube-proxy that is off as a sign that a plugin comes later', {
  talconfig: withGlobal,
  ...patch(forCilium),
})

finds(
  'holds the installer against Secure Boot, both ways',
  {
    talconfig: talconfig(
      `    talosImageURL: factory.talos.dev/installer-secureboot/${'ab'.repeat(32)}`,
      'controlPlane:',
      '  machineSpec: {mode: metal, secureboot: true}',
      '  patches: ["@./patches/p.yaml"]',
    ),
    ...patch('machine:\n  install:\n    image: factory.talos.dev/metal-installer/abc:v1.13.9\n'),
  },
  'patches/p.yaml:3:5: cp-1 boots with Secure Boot, and this installer is not signed for it (factory.talos.dev/metal-installer-secureboot/abc:v1.13.9)',
  `talconfig.yaml:9:5: the installer is for Secure Boot, and worker-1 is not declared to have it (machineSpec: {secureboot: true}, or factory.talos.dev/installer/${'ab'.repeat(32)})`,
)
leaves('leaves the signed installer of a node with Secure Boot alone', {
  talconfig: talconfig(
    '    machineSpec: {mode: metal, secureboot: true}',
    `    talosImageURL: factory.talos.dev/metal-installer-secureboot/${'ab'.repeat(32)}`,
  ),
})

finds(
  'keeps the virtual IP out of the talosconfig',
  {
    talconfig: talconfig(
      'controlPlane:',
      '  networkInterfaces:',
      '    - interface: eth0',
      '      vip:',
      '        ip: 10.0.0.11',
    ),
  },
  "talconfig.yaml:5:16: cp-1 would be reached at the virtual IP 10.0.0.11, which is gone when etcd is (the node's own address)",
)
leaves('leaves a virtual IP of nobody alone', {
  talconfig: talconfig(
    'controlPlane:',
    '  networkInterfaces:',
    '    - interface: eth0',
    '      vip:',
    '        ip: 10.0.0.10',
  ),
})

test('does not stumble where shapes are wrong', () => {
  for (const text of ['', 'nodes: 3', 'nodes:\n  - 1\n  - null', 'patches: {a: b}\nnodes: []', '[1, 2]', 'a: ['])
    assert.type(said({ talconfig: text, cilium: '- 1' }), 'string', text)
  for (const text of [
    '',
    '- 1',
    'machine: 3',
    'machine: {install: {extensions: 7}, kubelet: {extraArgs: []}}',
    '---\n---\n',
  ])
    assert.type(said(patch(text)), 'string')
})

/** Keys that rules look for, at any depth and with anything in them. */
const KEYS =
  'nodes patches controlPlane worker machine cluster install extensions kubelet extraArgs nodeLabels nodeTaints schematic customization systemExtensions officialExtensions extensionServices name files env path disks userVolumes image talosImageURL machineSpec secureboot volumes encryption keys tpm installDiskSelector model networkInterfaces vlans vip ip ipAddress features kubePrism port enabled network cni proxy disabled k8sServicePort k8sServiceHost kubeProxyReplacement cniConfig kind extraKernelArgs op value constructor __proto__'

test('does not stumble whatever stands where', () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom(
        null,
        true,
        false,
        7,
        '',
        'x',
        '@./patches/p.yaml',
        '- op: add',
        'machine: {disks: [1]}',
        'APPLE',
        'siderolabs/constructor',
        'toString',
        '$a',
      ),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...KEYS.split(' ')), tie('tree'), { maxKeys: 5 }),
    ),
  }))
  fc.assert(
    fc.property(tree, tree, tree, (talconfig, file, cilium) => {
      const [text, patch, values] = [talconfig, file, cilium].map((one) => JSON.stringify(one)) as [
        string,
        string,
        string,
      ]
      said({ talconfig: text, patches: { 'patches/p.yaml': patch }, cilium: values })
      said({ talconfig: `nodes: [${text}]\npatches: ["@./patches/p.yaml"]`, patches: { 'patches/p.yaml': patch } })
    }),
    { numRuns: 500 },
  )
})

test.run()
