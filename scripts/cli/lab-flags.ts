import type { FlagSpecs } from './flag-spec.ts'

/** Flags of `workflows/lab.ts`. */
export const labFlags = {
  speed: { type: 'number', help: 'up: machine seconds that pass in a second (default: speed of lab.yaml)' },
  'die-with': { type: 'number', help: 'up: the lab ends when the process of that id is gone' },
  node: { type: 'string', value: 'node', help: 'fault: where' },
  seconds: { type: 'number', help: 'fault: its length in machine seconds' },
  times: { type: 'number', help: 'fault: how often it happens before it is over' },
  'exit-code': {
    type: 'number',
    help: 'fault: what the installer of install-fails ends with (2 to 7: only one of Talos 1.14 or newer)',
  },
  when: {
    type: 'string',
    value: 'event',
    help: 'fault: it starts at the next such event of a node or of any, like "k8s-2 ready": ready, booting, running, down, reboot-requested, pull-started, pull-finished, install-started, install-finished, or a type of the log',
  },
  cure: { type: 'boolean', help: 'fault: end that one, on --node or everywhere' },
  'cure-all': { type: 'boolean', help: 'fault: end all of them' },
  list: { type: 'boolean', alone: true, help: 'fault: print the catalogue' },
} as const satisfies FlagSpecs
