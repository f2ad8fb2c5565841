import type { NodeName } from './cluster.ts'

/** Whether a host name is a declared one. Host names know no case, and a declared one may stand without its domain. */
export function isCalled(declared: NodeName, hostname: string): boolean {
  const [name, says] = [declared.toLowerCase(), hostname.toLowerCase()]
  return says !== '' && (name === says || name === says.split('.')[0])
}
