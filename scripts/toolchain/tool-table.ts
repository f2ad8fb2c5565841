/** The programs that this project drives, by the names of their files. */
export type ToolProgram =
  | 'talosctl'
  | 'talhelper'
  | 'sops'
  | 'age-keygen'
  | 'etcd'
  | 'task'
  | 'kubectl'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'

/** The talosctl of each minor release of Talos whose answers can be read. */
export type TalosctlName = 'talosctl-1.13' | 'talosctl-1.14'

/** What can be found, and built when it is missing: some programs are there in several minor versions side by side. */
export type ToolName = Exclude<ToolProgram, 'talosctl' | 'etcd'> | TalosctlName | 'etcd-3.6' | 'etcd-3.7'

/** How one tool is recognised, judged and built. */
export type Tool = {
  readonly name: ToolName
  /** the name of its file on PATH and in the cache; its own name may stand there too */
  readonly program: ToolProgram
  /** what it is needed for, as the reader of a missing-tool message would say it */
  readonly purpose: string
  /** nothing of the product fails without it */
  readonly optional: boolean
  /** semver range of the versions that fit */
  readonly range: string
  /** the version that its go.mod pins */
  readonly pinned: string
  /** environment variable that names the program to use, before PATH and the cache */
  readonly override: string
  /** variable that serves whichever minor version of the program it names; looked at after `override` */
  readonly sharedOverride?: string
  readonly versionArgv: readonly string[]
  /** finds the version, without a leading v, in what `versionArgv` prints */
  readonly versionPattern: RegExp
  /** the folder of `scripts/toolchain` that holds its go.mod and go.sum; several tools may come from one */
  readonly module: string
  /** the main package, built inside that folder */
  readonly goPackage: string
  readonly ldflags: string
  /** what a person types to get it without Go */
  readonly mise: string
}

/** All of Kubernetes comes from one module, and servers from nowhere else: no package manager has them alone. */
const kubernetesTool = (
  name: ToolName & ToolProgram,
  own: Pick<Tool, 'purpose' | 'override'> & Partial<Pick<Tool, 'range' | 'versionArgv' | 'versionPattern' | 'mise'>>,
): Tool => ({
  name,
  program: name,
  optional: false,
  range: '>=1.36 <1.37',
  pinned: '1.36.3',
  versionArgv: ['--version'],
  versionPattern: /^Kubernetes v(\S+)$/m,
  module: 'kubernetes',
  goPackage: `k8s.io/kubernetes/cmd/${name}`,
  // without its version a server counts itself as 0.0.0 and a client as none
  ldflags: [
    '-s -w',
    '-X k8s.io/component-base/version.gitVersion=v1.36.3',
    '-X k8s.io/component-base/version.gitMajor=1',
    '-X k8s.io/component-base/version.gitMinor=36',
  ].join(' '),
  mise: `npm run tools -- ${name} # needs Go`,
  ...own,
})

// Symbol tables are a third of talosctl's 190 MB and serve nobody here.
const ldflags = '-s -w'

/** `TALOSCTL_1_13` for `talosctl-1.13`, and so on. */
const overrideOf = (name: ToolName): string => name.toUpperCase().replaceAll(/[-.]/g, '_')

type OfMinor = Pick<Tool, 'range' | 'pinned' | 'module'>

/** What a talosctl prints changes from one minor release to the next: each has an entry of its own. */
const talosctl = (name: TalosctlName, { range, pinned, module }: OfMinor): Tool => ({
  name,
  program: 'talosctl',
  purpose: 'talks to the nodes',
  optional: false,
  range,
  pinned,
  override: overrideOf(name),
  sharedOverride: 'TALOSCTL',
  versionArgv: ['version', '--client'],
  versionPattern: /^\s*Tag:\s+v(\S+)$/m,
  module,
  goPackage: 'github.com/siderolabs/talos/cmd/talosctl',
  ldflags,
  // `install`, since several are wanted side by side: `use` would replace one by the other
  mise: `mise install talosctl@${pinned}`,
})

/** The lab runs the etcd that each Talos ships. */
const etcd = (name: 'etcd-3.6' | 'etcd-3.7', { range, pinned, module }: OfMinor): Tool => ({
  name,
  program: 'etcd',
  purpose: 'runs behind the control planes of the lab',
  optional: false,
  range,
  pinned,
  override: overrideOf(name),
  sharedOverride: 'ETCD',
  versionArgv: ['--version'],
  versionPattern: /^etcd Version: (\S+)$/m,
  module,
  goPackage: 'go.etcd.io/etcd/server/v3',
  ldflags,
  mise: `mise install etcd@${pinned}`,
})

/** The one table of tools; a new tool needs an entry here and a pinned module in a folder beside it. */
export const toolTable: Readonly<Record<ToolName, Tool>> = {
  // 1.13.7 is the first whose `upgrade --no-reboot` leaves the reboot to us.
  'talosctl-1.13': talosctl('talosctl-1.13', { range: '>=1.13.7 <1.14', pinned: '1.13.9', module: 'talosctl' }),
  'talosctl-1.14': talosctl('talosctl-1.14', { range: '>=1.14 <1.15', pinned: '1.14.1', module: 'talosctl-1.14' }),
  talhelper: {
    name: 'talhelper',
    program: 'talhelper',
    purpose: 'generates the machine configurations',
    optional: false,
    // 3.1.8 is the first that decrypts every format of SOPS; 3.1.2 the first with the network documents of Talos 1.12.
    range: '>=3.1.8 <4',
    pinned: '3.1.16',
    override: 'TALHELPER',
    versionArgv: ['--version'],
    versionPattern: /^talhelper version v?(\S+)/m,
    module: 'talhelper',
    goPackage: 'github.com/budimanjojo/talhelper/v3',
    ldflags: `${ldflags} -X github.com/budimanjojo/talhelper/v3/cmd.version=3.1.16`,
    mise: 'mise use --global talhelper@3.1.16',
  },
  sops: {
    name: 'sops',
    program: 'sops',
    purpose: 'encrypts and checks the secrets of a cluster',
    optional: false,
    // 3.10 is the first whose `encrypt` reads standard input, so that no plain text is ever in a file.
    range: '>=3.10 <4',
    pinned: '3.13.3',
    override: 'SOPS',
    versionArgv: ['--version', '--disable-version-check'],
    versionPattern: /^sops (\d+\.\d+\.\d+\S*)/m,
    module: 'sops',
    goPackage: 'github.com/getsops/sops/v3/cmd/sops',
    ldflags,
    mise: 'mise use --global sops@3.13.3',
  },
  'age-keygen': {
    name: 'age-keygen',
    program: 'age-keygen',
    purpose: 'makes age identities and tells their recipients',
    optional: false,
    range: '>=1.1 <2',
    pinned: '1.3.2',
    override: 'AGE_KEYGEN',
    versionArgv: ['--version'],
    versionPattern: /^v?(\d+\.\d+\.\d+\S*)$/m,
    module: 'age-keygen',
    goPackage: 'filippo.io/age/cmd/age-keygen',
    ldflags,
    mise: 'mise use --global age@1.3.2',
  },
  'etcd-3.6': etcd('etcd-3.6', { range: '>=3.6 <3.7', pinned: '3.6.14', module: 'etcd' }),
  'etcd-3.7': etcd('etcd-3.7', { range: '>=3.7 <3.8', pinned: '3.7.1', module: 'etcd-3.7' }),
  task: {
    name: 'task',
    program: 'task',
    purpose: 'runs the short names of Taskfile.yml',
    optional: true,
    // Taskwarrior installs a `task` too and prints its version in the same way; its 3.x is far below 3.40.
    range: '>=3.40 <4',
    pinned: '3.48.0',
    override: 'TASK',
    versionArgv: ['--version'],
    versionPattern: /^(?:Task version: )?v?(\d+\.\d+\.\d+)/m,
    module: 'task',
    goPackage: 'github.com/go-task/task/v3/cmd/task',
    ldflags,
    mise: 'mise use --global task@3.48.0',
  },
  kubectl: kubernetesTool('kubectl', {
    purpose: 'drains nodes, and locks the cluster',
    // one that is newer than its server does no harm in what is asked here; older ones have not been tried
    range: '>=1.34 <2',
    versionArgv: ['version', '--client'],
    // some distributors put a name of their own behind it
    versionPattern: /^Client Version: v(\d+\.\d+\.\d+)/m,
    override: 'KUBECTL',
    mise: 'mise use --global kubectl@1.36.3',
  }),
  'kube-apiserver': kubernetesTool('kube-apiserver', {
    purpose: 'runs behind the Kubernetes endpoint of the lab',
    override: 'KUBE_APISERVER',
  }),
  'kube-controller-manager': kubernetesTool('kube-controller-manager', {
    purpose: 'runs in the lab',
    override: 'KUBE_CONTROLLER_MANAGER',
  }),
  'kube-scheduler': kubernetesTool('kube-scheduler', { purpose: 'runs in the lab', override: 'KUBE_SCHEDULER' }),
}
