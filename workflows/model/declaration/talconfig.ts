import { array, boolean, minLength, optional, pipe, string } from 'valibot'
import { endpoint, version } from './talenv.ts'
import { yamlMap } from './yaml-map.ts'

/** The part of talhelper's talconfig.yaml that says which nodes there are and what they run. */
export const talconfigSchema = yamlMap({
  clusterName: pipe(string(), minLength(1, 'is empty')),
  endpoint,
  talosVersion: optional(version),
  kubernetesVersion: version,
  nodes: pipe(
    array(
      yamlMap({
        hostname: string(),
        ipAddress: string(),
        controlPlane: optional(boolean(), false),
      }),
    ),
    minLength(1, 'names no node'),
  ),
})
