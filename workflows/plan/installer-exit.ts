/** What the installer's exit codes mean (Talos' constants.go: stable from 1.14 on; older installers end with 1 for all). */

type Exit = {
  means: string
  /** nothing but another image or another configuration changes how it ends */
  permanent: boolean
}

const EXITS: Readonly<Record<number, Exit>> = {
  2: { means: 'invalid input: it does not take the image, the options or the machine configuration', permanent: true },
  3: { means: 'unsupported operation', permanent: true },
  4: { means: 'environment error: something that it needs is missing on the node', permanent: false },
  5: { means: 'dependency error', permanent: false },
  6: { means: 'I/O error', permanent: false },
  7: { means: 'installation error', permanent: false },
}

/** In words, with the number. */
export function exitText(code: number | undefined): string {
  if (code === undefined) return 'the installer failed'
  const exit = EXITS[code]
  return `the installer ended with ${code}${exit ? `, ${exit.means}` : ''}`
}

/** Whether the same installation would end the same way again. */
export const isPermanent = (code: number | undefined): boolean => code !== undefined && EXITS[code]?.permanent === true
