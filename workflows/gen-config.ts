/** Makes the machine configurations of a cluster from its declaration, and puts them in place as one. */
import { command } from '../scripts/cli/command.ts'

await command({
  name: 'gen-config',
  summary: 'Check the declaration of a cluster and generate the configurations of its nodes, showing what changes',
  without: ['nodes', 'yes', 'abandon', 'talosconfig', 'kubeconfig'],
  purpose: 'generate',
  flags: {
    'discard-edits': { type: 'boolean', help: 'replace generated files that were edited by hand' },
    'renew-talosconfig': { type: 'boolean', help: 'make a new client certificate, although the old one is good' },
  },
  async run(call) {
    const { generateConfig } = await import('../scripts/config/generate-config.ts')
    return generateConfig(call, call.flags)
  },
})
