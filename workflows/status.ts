/** Shows where a cluster stands, node by node, as it was seen just now. */
import { command } from '../scripts/cli/command.ts'

await command({
  name: 'status',
  summary: 'Show the stage, versions, schematic, slots and etcd member of every node of a cluster',
  without: ['yes', 'abandon', 'dry-run'],
  flags: {
    drain: { type: 'boolean', help: 'also show what a drain of each node would evict, and what would block it' },
  },
  async run(call) {
    const { showStatus } = await import('../scripts/view/show-status.ts')
    return showStatus(call, { drain: call.flags.drain })
  },
})
