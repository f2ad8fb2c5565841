import { parse, parseAllDocuments } from 'yaml'

/** What was generated for a cluster, as plain text. */
export type GeneratedConfig = {
  talosconfig: string
  /** by node */
  machineConfigs: Readonly<Record<string, string>>
}

const pem = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('utf8')

/**
 * The certificate authority and the configuration of each machine, out of what was generated. Fails with an Error that
 * says what does not fit together.
 */
export async function readGeneratedConfig(
  { talosconfig, machineConfigs }: GeneratedConfig,
  nodes: readonly { name: string; role: 'controlplane' | 'worker' }[],
) {
  const missing = nodes.filter(({ name }) => machineConfigs[name] === undefined).map(({ name }) => name)
  if (missing.length > 0) throw new Error(`no configuration was generated for ${missing.join(', ')}`)
  const controlPlane = nodes.find(({ role }) => role === 'controlplane')
  const [config] = parseAllDocuments(machineConfigs[controlPlane?.name ?? ''] ?? '')
  const { machine } = (config?.toJS() ?? {}) as { machine?: { ca?: { crt?: string; key?: string } } }
  const authority = { crt: pem(machine?.ca?.crt), key: pem(machine?.ca?.key) }
  if (authority.crt === '' || authority.key === '')
    throw new Error(`the configuration of ${controlPlane?.name} holds no certificate authority`)
  const client = parse(talosconfig) as { context?: string; contexts?: Record<string, { ca?: string }> }
  if (pem(client.contexts?.[client.context ?? '']?.ca) !== authority.crt)
    throw new Error('the talosconfig and the configurations are of different certificate authorities')
  return { authority, talosconfig, machineConfigOf: ({ name }: { name: string }) => machineConfigs[name] ?? '' }
}
