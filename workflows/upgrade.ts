/** Rolls the declared Talos release over a cluster, control planes one at a time. */
import { command } from '../scripts/cli/command.ts'
import { rollingFlags } from '../scripts/cli/rolling-flags.ts'

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
    ...rollingFlags,
  },
  async run({ flags, carryOut }) {
    const { upgrade } = await import('./plan/upgrade.ts')
    return carryOut(upgrade, flags)
  },
})
