/**
 * Kernel arguments belong to the image since Talos 1.10, and no upgrade by the lifecycle API takes those of
 * `machine.install.extraKernelArgs` along (siderolabs/talos#13967): what a node runs with and its next image does not hold
 * is gone after the reboot. The one call of Talos below 1.13 passes those of the configuration on, and nothing else
 * (internal/pkg/install, OptionsFromUpgradeRequest).
 */
import { AGAIN } from '../model/again.ts'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { NodeFacts } from '../model/observation.ts'

/** What Talos and its boot loaders write, whatever the value. */
const OWN: ReadonlySet<string> = new Set(['BOOT_IMAGE', 'initrd', 'talos.platform', 'talos.config', 'console'])

/** What installers write by default, for each release, platform and board (pkg/machinery/kernel, platform/*); another value is somebody's. */
const DEFAULTS: ReadonlySet<string> = new Set([
  'init_on_alloc=1',
  'slab_nomerge',
  'slab_nomerge=',
  'pti=on',
  'consoleblank=0',
  'nvme_core.io_timeout=4294967295',
  'printk.devkmsg=on',
  'ima_template=ima-ng',
  'ima_appraise=fix',
  'ima_hash=sha512',
  'selinux=1',
  'module.sig_enforce=1',
  'proc_mem.force_override=never',
  'lockdown=confidentiality',
  'talos.dashboard.disabled=1',
  'sysctl.kernel.kexec_load_disabled=1',
])

/** The same of every platform but bare metal. */
const OF_CLOUDS: ReadonlySet<string> = new Set([
  'net.ifnames=0',
  'earlyprintk=ttyS0,115200',
  'earlyprintk=ttyS0,115200n8',
  'rootdelay=300',
])

const split = (cmdline: string): string[] => cmdline.match(/(?:[^\s"]|"[^"]*")+/g) ?? []

/** The arguments of a command line that somebody asked for, in their order. */
export const extraArguments = (cmdline: string, platform: string): string[] =>
  split(cmdline).filter(
    (argument) =>
      !OWN.has(argument.split('=', 1)[0] ?? '') &&
      !DEFAULTS.has(argument) &&
      !(platform !== 'metal' && OF_CLOUDS.has(argument)),
  )

export type NextImage = {
  schematic: string
  /** arguments of the schematic that is declared, where they are known */
  declared?: readonly string[]
  /** below Talos 1.13 one call installs, and takes those of the configuration along */
  path: 'lifecycle' | 'legacy'
  /** those of `machine.install.extraKernelArgs`, where the configuration could be read */
  configured?: readonly string[]
}

type Running = Pick<NodeFacts, 'kernelCmdline' | 'platform' | 'schematic' | 'schematicArguments'>

type Fate = 'kept' | 'lost' | 'unknown'

/** What becomes of each argument that the node runs with; nothing where its command line is not known. */
function fates(running: Running, { schematic, declared = [], path, configured }: NextImage): [string, Fate][] {
  if (running.kernelCmdline === undefined) return []
  const ofImage = new Set(running.schematicArguments)
  const held = new Set(schematic === running.schematic ? ofImage : declared.map(withoutSecret))
  const fateOf = (argument: string): Fate => {
    if (held.has(argument)) return 'kept'
    if (path === 'lifecycle' || ofImage.has(argument)) return 'lost'
    return configured === undefined ? 'unknown' : configured.includes(argument) ? 'kept' : 'lost'
  }
  return extraArguments(running.kernelCmdline, running.platform).map((argument) => [argument, fateOf(argument)])
}

const argumentsThatAre = (fate: Fate, running: Running, next: NextImage): string[] =>
  fates(running, next).flatMap(([argument, its]) => (its === fate ? [argument] : []))

/** What the node runs with and has no more after the upgrade. */
export const lostArguments = (running: Running, next: NextImage): string[] => argumentsThatAre('lost', running, next)

/** What a plan says about a node below Talos 1.13 whose configuration could not be read. */
export function unknownArgumentsNote(node: NodeName, running: Running, next: NextImage): string[] {
  const unknown = argumentsThatAre('unknown', running, next)
  return unknown.length === 0
    ? []
    : [
        `${node} runs with ${unknown.join(' ')}, which the upgrade keeps only where machine.install.extraKernelArgs holds that: not checked, since its configuration could not be read`,
      ]
}

/** The refusal, with the schematic that would keep the arguments. */
export function kernelArgumentObjection(running: Running & Pick<NodeFacts, 'extensions'>, next: NextImage): Failure[] {
  const lost = lostArguments(running, next)
  if (lost.length === 0) return []
  const kept =
    (next.schematic === running.schematic ? running.schematicArguments : next.declared?.map(withoutSecret)) ?? []
  const list = (items: readonly string[]) => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`
  const extensions =
    running.extensions.length === 0
      ? ''
      : `, systemExtensions: {officialExtensions: ${list(running.extensions.map((name) => (name.includes('/') ? name : `siderolabs/${name}`)))}}`
  return [
    failure('kernel-argument-loss', {
      detail: `runs with ${lost.join(' ')}, and schematic ${next.schematic.slice(0, 8)} is not known to hold that`,
      hint: `${AGAIN} --allow-kernel-argument-loss # or declare the schematic {customization: {extraKernelArgs: ${list([...kept, ...lost])}${extensions}}}`,
    }),
  ]
}

/** What to say when a node came back with other arguments than it had; undefined where it did not, or nobody can tell. */
export function argumentChange(before: readonly string[] | undefined, cmdline: string | undefined): string | undefined {
  if (before === undefined || cmdline === undefined) return undefined
  const now = split(cmdline)
  const lost = before.filter((argument) => !now.includes(argument))
  // what clouds write by default is nothing new on any
  const gained = extraArguments(cmdline, 'a cloud').filter((argument) => !before.includes(argument))
  const words = [
    ...(lost.length > 0 ? [`without ${lost.join(' ')}`] : []),
    ...(gained.length > 0 ? [`with ${gained.join(' ')}, which it had not`] : []),
  ]
  return words.length === 0 ? undefined : `its kernel runs ${words.join(', and ')}`
}

/** `siderolink.api=https://…?jointoken=…`: arguments are compared and shown, so what may open something is left out. */
export const withoutSecret = (argument: string): string =>
  argument.replace(/([a-z_]*(?:token|secret|password|passphrase))=[^&\s"]+/gi, '$1=…')
