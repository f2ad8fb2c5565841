import { array, boolean, check, minLength, optional, pipe, string } from 'valibot'
import { parseVersion } from './parse-version.ts'
import { endpointHost } from './talenv.ts'
import { yamlMap } from './yaml-map.ts'

const version = pipe(
  string(),
  check((text) => parseVersion(text) !== undefined, 'is not a version such as v1.13.9'),
)

/** The part of talhelper's talconfig.yaml that says which nodes there are and what they run. */
export const talconfigSchema = yamlMap({
  clusterName: pipe(string(), minLength(1, 'is empty')),
  endpoint: pipe(
    string(),
    check((text) => endpointHost(text) !== undefined, 'is not an address such as https://10.0.0.10:6443'),
  ),
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
