/** Takes what a cluster is from Terraform: the output `talenv_yaml` becomes clusters/cluster-<id>/talenv.yaml. */
import { bareCommand } from '../scripts/cli/command.ts'

await bareCommand({
  name: 'import-terraform',
  summary: "Write a cluster's talenv.yaml from the output talenv_yaml of a Terraform module",
  without: ['nodes', 'yes', 'abandon', 'talosconfig', 'kubeconfig'],
  flags: { 'terraform-dir': { type: 'string', value: 'path', help: 'folder of the root module (required)' } },
  async run({ common, flags }) {
    const { importTerraform } = await import('../scripts/config/import-terraform.ts')
    const { exitCode, text } = await importTerraform(common, flags.terraformDir)
    process.stdout.write(text)
    return exitCode
  },
})
