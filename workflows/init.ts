/** Gives a cluster its secrets: new ones or those that it has, encrypted for an age identity outside git. */
import { bareCommand } from '../scripts/cli/command.ts'

await bareCommand({
  name: 'init',
  summary: 'Make the folder, age identity, SOPS rule and encrypted secrets of a cluster, or take over existing secrets',
  without: ['nodes', 'yes', 'abandon', 'talosconfig', 'kubeconfig'],
  flags: {
    from: {
      type: 'string',
      value: 'file',
      help: 'take over existing secrets: a secrets.yaml of Talos, or the configuration of a control plane',
    },
    'age-key': {
      type: 'string',
      value: 'file',
      help: 'age identity to use, made if it is not there (default: the one that sops finds, else a new one there)',
    },
  },
  async run({ flags, common }) {
    const { init } = await import('../scripts/config/secrets/init.ts')
    return init({ common }, flags)
  },
})
