import type { Row } from '../sequence.ts'

/** What is brought to a node while it runs on undisturbed. */
export const PREPARE: readonly Row[] = [
  { step: 'pull-image', when: 'goalIsPull', else: 'asItWas' },
  { step: 'install', when: 'goalIsInstall', begins: 'noteInstalling', ends: 'noteInstalled', else: 'diagnosed' },
]
