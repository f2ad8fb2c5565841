/** The programs that this project drives, and can build when they are missing. */
export type ToolName = 'talosctl' | 'talhelper' | 'sops' | 'age-keygen' | 'etcd' | 'task'

/** How one tool is recognised, judged and built. */
export type Tool = {
  readonly name: ToolName
  /** what it is needed for, as the reader of a missing-tool message would say it */
  readonly purpose: string
  /** nothing of the product fails without it */
  readonly optional: boolean
  /** semver range of the versions that fit */
  readonly range: string
  /** the version that `scripts/toolchain/<name>/go.mod` pins */
  readonly pinned: string
  /** environment variable that names the program to use, before PATH and the cache */
  readonly override: string
  readonly versionArgv: readonly string[]
  /** finds the version, without a leading v, in what `versionArgv` prints */
  readonly versionPattern: RegExp
  /** the main package, built inside `scripts/toolchain/<name>` */
  readonly goPackage: string
  readonly ldflags: string
  /** what a person types to get it without Go */
  readonly mise: string
}

// Symbol tables are a third of talosctl's 190 MB and serve nobody here.
const ldflags = '-s -w'

/** The one table of tools; a new tool needs a line here and a pinned module in `scripts/toolchain/<name>`. */
export const toolTable: Readonly<Record<ToolName, Tool>> = {
  talosctl: {
    name: 'talosctl',
    purpose: 'talks to the nodes',
    optional: false,
    // 1.13.7 is the first whose `upgrade --no-reboot` leaves the reboot to us.
    range: '>=1.13.7 <2',
    pinned: '1.13.9',
    override: 'TALOSCTL',
    versionArgv: ['version', '--client'],
    versionPattern: /^\s*Tag:\s+v(\S+)$/m,
    goPackage: 'github.com/siderolabs/talos/cmd/talosctl',
    ldflags,
    mise: 'mise use --global talosctl@1.13.9',
  },
  talhelper: {
    name: 'talhelper',
    purpose: 'generates the machine configurations',
    optional: false,
    // 3.1.8 is the first that decrypts every format of SOPS; 3.1.2 the first with the network documents of Talos 1.12.
    range: '>=3.1.8 <4',
    pinned: '3.1.16',
    override: 'TALHELPER',
    versionArgv: ['--version'],
    versionPattern: /^talhelper version v?(\S+)/m,
    goPackage: 'github.com/budimanjojo/talhelper/v3',
    ldflags: `${ldflags} -X github.com/budimanjojo/talhelper/v3/cmd.version=3.1.16`,
    mise: 'mise use --global talhelper@3.1.16',
  },
  sops: {
    name: 'sops',
    purpose: 'encrypts and checks the secrets of a cluster',
    optional: false,
    // 3.10 is the first whose `encrypt` reads standard input, so that no plain text is ever in a file.
    range: '>=3.10 <4',
    pinned: '3.13.3',
    override: 'SOPS',
    versionArgv: ['--version', '--disable-version-check'],
    versionPattern: /^sops (\d+\.\d+\.\d+\S*)/m,
    goPackage: 'github.com/getsops/sops/v3/cmd/sops',
    ldflags,
    mise: 'mise use --global sops@3.13.3',
  },
  'age-keygen': {
    name: 'age-keygen',
    purpose: 'makes age identities and tells their recipients',
    optional: false,
    range: '>=1.1 <2',
    pinned: '1.3.2',
    override: 'AGE_KEYGEN',
    versionArgv: ['--version'],
    versionPattern: /^v?(\d+\.\d+\.\d+\S*)$/m,
    goPackage: 'filippo.io/age/cmd/age-keygen',
    ldflags,
    mise: 'mise use --global age@1.3.2',
  },
  etcd: {
    name: 'etcd',
    purpose: 'runs behind the control planes of the lab',
    optional: false,
    range: '>=3.6 <3.7',
    pinned: '3.6.14',
    override: 'ETCD',
    versionArgv: ['--version'],
    versionPattern: /^etcd Version: (\S+)$/m,
    goPackage: 'go.etcd.io/etcd/server/v3',
    ldflags,
    mise: 'mise use --global etcd@3.6.14',
  },
  task: {
    name: 'task',
    purpose: 'runs the short names of Taskfile.yml',
    optional: true,
    // Taskwarrior installs a `task` too and prints its version in the same way; its 3.x is far below 3.40.
    range: '>=3.40 <4',
    pinned: '3.48.0',
    override: 'TASK',
    versionArgv: ['--version'],
    versionPattern: /^(?:Task version: )?v?(\d+\.\d+\.\d+)/m,
    goPackage: 'github.com/go-task/task/v3/cmd/task',
    ldflags,
    mise: 'mise use --global task@3.48.0',
  },
}
