/** Rolls the declared Talos release over a cluster, control planes one at a time. */
import { command } from '../scripts/cli/command.ts'

await command({
  name: 'upgrade',
  summary: 'Upgrade Talos on the nodes of a cluster: pull everywhere, one node first, then the rest one by one',
  flags: {
    to: { type: 'version', help: 'release to upgrade to (default: talosVersion of talenv.yaml)' },
    retry: {
      type: 'boolean',
      help: 'try nodes again that fell back from this target before, or whose installer refused it',
    },
    'allow-extension-loss': { type: 'boolean', help: 'install an image that lacks extensions which run today' },
    'allow-kernel-argument-loss': {
      type: 'boolean',
      help: 'install an image that lacks kernel arguments which a node runs with',
    },
    'accept-etcd-outage': {
      type: 'boolean',
      help: 'let a cluster of one or two members lose quorum while a node reboots',
    },
    'skip-drain': { type: 'boolean', help: 'take nodes down with their pods on them, without asking Kubernetes' },
    'keep-going': { type: 'boolean', help: 'go on with the other nodes when one failed' },
  },
  async run(call) {
    const { carryOutUpgrade } = await import('../scripts/engine/carry-out.ts')
    const { cluster, flags, nodes } = call
    return carryOutUpgrade(call, {
      to: flags.to ?? cluster.talosVersion,
      ...(nodes ? { nodes } : {}),
      retry: flags.retry,
      allowExtensionLoss: flags['allow-extension-loss'],
      allowKernelArgumentLoss: flags['allow-kernel-argument-loss'],
      acceptEtcdOutage: flags['accept-etcd-outage'],
      skipDrain: flags['skip-drain'],
      keepGoing: flags['keep-going'],
    })
  },
})
