import type { FlagSpecs } from './flag-spec.ts'

/** Flags of every verb that takes nodes down one after another. */
export const rollingFlags = {
  'accept-etcd-outage': {
    type: 'boolean',
    help: 'let a cluster of one or two members lose quorum while a node reboots',
  },
  'skip-drain': { type: 'boolean', help: 'take nodes down with their pods on them, without asking Kubernetes' },
  'keep-going': { type: 'boolean', help: 'go on with the other nodes when one failed' },
} as const satisfies FlagSpecs
