import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package, where everything is looked for unless --dir says otherwise. */
export const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** What a cluster's folder is called: `101` and `cluster-101` are the same. */
export const clusterFolder = (id: string): string => (id.startsWith('cluster-') ? id : `cluster-${id}`)

/** Whether it leads to a folder right below `clusters`, and nowhere else. */
export const isClusterFolder = (name: string): boolean => /^cluster-[\w.-]+$/.test(name)

/** Where the files of a cluster are, whichever way it is declared. All paths are absolute. */
export type Layout = {
  /**
   * `talenv`: clusters/cluster-<id>/talenv.yaml, as Terraform writes it, and templates beside `clusters`;
   * `nodes`: nodes.yaml, cluster.yaml and templates/config/talos, as in cluster-template;
   * `talconfig`: a talconfig.yaml that a person wrote
   */
  kind: 'talenv' | 'nodes' | 'talconfig'
  /** what --dir names */
  root: string
  /** operations.yaml, talsecret.sops.yaml, what is rendered, and .run */
  folder: string
  /** what the node files are called from there: `` or `clusterconfig/` */
  generated: string
  talosconfig: string
  /** the person's own; where there is none, talosctl makes one */
  kubeconfig: string
  secretFile: string
  /** what talhelper reads, by its name in `folder`: rendered, or written by a person */
  talconfig: 'talconfig.rendered.yaml' | 'talconfig.yaml'
}

/** The layout of the cluster `name` (`cluster-101`) below `root`; undefined where nothing declares a cluster. */
export function findLayout(root: string, name: string): Layout | undefined {
  const inClusters = join(root, 'clusters', name)
  if (isClusterFolder(name) && existsSync(join(inClusters, 'talenv.yaml')))
    return layout('talenv', root, inClusters, '')
  if (existsSync(join(root, 'nodes.yaml')) && existsSync(join(root, 'cluster.yaml')))
    return layout('nodes', root, join(root, 'talos'), 'clusterconfig/')
  const ready = [root, join(root, 'talos')].find((folder) => existsSync(join(folder, 'talconfig.yaml')))
  return ready === undefined ? undefined : layout('talconfig', root, ready, 'clusterconfig/')
}

const layout = (kind: Layout['kind'], root: string, folder: string, generated: string): Layout => ({
  kind,
  root,
  folder,
  generated,
  talosconfig: join(folder, generated, 'talosconfig'),
  kubeconfig: join(folder, 'kubeconfig'),
  secretFile: join(folder, 'talsecret.sops.yaml'),
  talconfig: kind === 'talenv' ? 'talconfig.rendered.yaml' : 'talconfig.yaml',
})
