/** Makes the Image Factory know the schematics of a cluster, so that the installers that nodes are given can be pulled. */
import { command } from '../scripts/cli/command.ts'

await command({
  name: 'register-schematics',
  summary: 'Register the schematics of a generated cluster at its Image Factory, each once',
  without: ['nodes', 'yes', 'abandon', 'talosconfig', 'kubeconfig'],
  flags: {
    factory: {
      type: 'string',
      value: 'url',
      help: 'where to register them (default: upgrade.factory of operations.yaml)',
    },
  },
  async run(call) {
    const { registerClusterSchematics } = await import('../scripts/schematic/register-cluster-schematics.ts')
    const { exitCode, text } = await registerClusterSchematics(call, call.flags)
    process.stdout.write(text)
    return exitCode
  },
})
