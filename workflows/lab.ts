/** A simulated Talos cluster on loopback that the real talosctl talks to. */
import { bareCommand } from '../scripts/cli/command.ts'
import { labFlags } from '../scripts/cli/lab-flags.ts'

const lines = {
  say: (line: string) => void process.stdout.write(`${line}\n`),
  complain: (line: string) => void process.stderr.write(`${line}\n`),
}

await bareCommand({
  name: 'lab',
  summary: 'Run a simulated Talos cluster on loopback that the real talosctl and kubectl talk to',
  without: ['nodes', 'dry-run', 'yes', 'abandon', 'output', 'talosconfig', 'kubeconfig'],
  verbs: {
    up: { help: 'bring it up in the background' },
    down: { help: 'end it, and remove what it left' },
    status: { help: 'show its machines' },
    fault: { help: 'let something go wrong on --node, or --cure it', word: 'name' },
    log: { help: 'print all that it saw, as NDJSON' },
    check: { help: 'hold its log against what must never be' },
  },
  flags: labFlags,
  async run({ words: [verb = '', name], common, flags }) {
    const [{ labGround, labPlace }, { reject }] = await Promise.all([
      import('../scripts/toolchain/lab-ground.ts'),
      import('../scripts/cli/reject.ts'),
    ])
    const place = labPlace(common)
    if (!place.ok) return reject([place.failure], common)
    const fault = { name, ...flags }
    if (verb !== 'up') {
      const { labCommand } = await import('../lab/lab-command.ts')
      return labCommand({ verb, ...place.value, fault, ...lines })
    }
    const [{ labUp }, { wantsKubernetes }] = await Promise.all([import('../lab/up.ts'), import('../lab/lab-file.ts')])
    const ground = await labGround(common, wantsKubernetes)
    if (!ground.ok) return reject(ground.failure, common)
    return labUp({ ...place.value, ...ground.value, speed: flags.speed, dieWith: flags.dieWith, ...lines })
  },
})
