/** Reboots the nodes of a cluster, control planes one at a time. */
import { command } from '../scripts/cli/command.ts'
import { rollingFlags } from '../scripts/cli/rolling-flags.ts'

await command({
  name: 'reboot',
  summary: 'Reboot the nodes of a cluster one after another, drained and verified as an upgrade does it',
  flags: {
    mode: {
      type: 'choice',
      choices: ['default', 'powercycle', 'force'],
      help: 'powercycle goes through the firmware, force skips the shutdown of the node itself (default: default)',
    },
    'accept-pending-configuration': {
      type: 'boolean',
      help: 'boot nodes also into a machine configuration that is staged, or out of one that is on trial',
    },
    ...rollingFlags,
  },
  async run({ flags, carryOut }) {
    const { reboot } = await import('./plan/reboot.ts')
    return carryOut(reboot, flags)
  },
})
