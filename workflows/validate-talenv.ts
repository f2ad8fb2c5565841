/** The gate that every talenv.yaml passes before anything is rendered from it, alone: for CI and editors. */
import { bareCommand } from '../scripts/cli/command.ts'

await bareCommand({
  name: 'validate-talenv',
  summary: 'Check a talenv.yaml and the operations.yaml beside it, and list every mistake with its line',
  without: ['cluster', 'dir', 'nodes', 'dry-run', 'yes', 'abandon', 'talosconfig', 'kubeconfig'],
  flags: { file: { type: 'string', value: 'path', help: 'the talenv.yaml (required)' } },
  async run({ flags, common }) {
    const { validateTalenv } = await import('../scripts/config/validate-talenv.ts')
    const { exitCode, text } = validateTalenv(flags.file, common)
    process.stdout.write(text)
    return exitCode
  },
})
