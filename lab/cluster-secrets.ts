import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import semver from 'semver'
import { parse, stringify } from 'yaml'

const run = promisify(execFile)

/** What the real talosctl makes for a new cluster; all of it is secret and lives only as long as the lab. */
export type ClusterSecrets = {
  authority: { crt: string; key: string }
  machineConfigs: { controlplane: string; worker: string }
  /** YAML, with the control planes as endpoints */
  talosconfig: string
}

/** Makes secrets and configuration with `talosctl gen`, in `dir`. Fails with talosctl's words. */
export async function createClusterSecrets(options: {
  talosctlPath: string
  dir: string
  /** secrets that `talosctl gen secrets` wrote; else it makes new ones, which takes as long as all the rest of a lab's start */
  secretsFile?: string | undefined
  cluster: string
  endpoints: readonly string[]
  /** `https://127.0.7.10:6443` */
  kubernetesEndpoint: string
  /** the oldest version among the nodes: what all of them understand */
  talosVersion: string
  kubernetesVersion: string
  /** pods run on control planes, too: where there are no workers they have nowhere else to go */
  schedulesOnControlPlanes: boolean
}): Promise<ClusterSecrets> {
  const { talosctlPath, dir, cluster, endpoints } = options
  const secretsFile = options.secretsFile ?? join(dir, 'secrets.yaml')
  const generated = join(dir, 'generated')
  mkdirSync(generated, { recursive: true, mode: 0o700 })
  const talosctl = (...argv: string[]) => run(talosctlPath, argv, { env: { HOME: dir }, timeout: 60_000 })
  const contract = semver.coerce(options.talosVersion)
  if (options.secretsFile === undefined) await talosctl('gen', 'secrets', '-o', secretsFile, '--force')
  await talosctl(
    ...['gen', 'config', cluster, options.kubernetesEndpoint, '--with-secrets', secretsFile],
    ...['--output', generated, '--force', '--with-docs=false', '--with-examples=false'],
    `--talos-version=v${contract?.major}.${contract?.minor}`,
    `--kubernetes-version=${options.kubernetesVersion.replace(/^v/, '')}`,
    ...(options.schedulesOnControlPlanes
      ? ['--config-patch-control-plane={"cluster":{"allowSchedulingOnControlPlanes":true}}']
      : []),
  )
  const secrets = parse(readFileSync(secretsFile, 'utf8')) as { certs: { os: { crt: string; key: string } } }
  const pem = (base64: string) => Buffer.from(base64, 'base64').toString('utf8')
  const talosconfig = parse(readFileSync(join(generated, 'talosconfig'), 'utf8')) as {
    contexts: Record<string, { endpoints: readonly string[] }>
  }
  for (const context of Object.values(talosconfig.contexts)) context.endpoints = endpoints
  const result = {
    authority: { crt: pem(secrets.certs.os.crt), key: pem(secrets.certs.os.key) },
    machineConfigs: {
      controlplane: readFileSync(join(generated, 'controlplane.yaml'), 'utf8'),
      worker: readFileSync(join(generated, 'worker.yaml'), 'utf8'),
    },
    talosconfig: stringify(talosconfig),
  }
  rmSync(generated, { recursive: true })
  return result
}
