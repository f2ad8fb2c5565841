/**
 * Extensions whose service waits for an ExtensionServiceConfig of its name (`depends: configuration: true` in
 * siderolabs/extensions), with the least that talhelper has to be told for each.
 */
export const CONFIGURED_SERVICES: ReadonlyMap<string, string> = new Map([
  ['bird2', file('bird2', '/usr/local/etc/bird.conf', '<bird.conf>')],
  ['cloudflared', environment('cloudflared', 'TUNNEL_TOKEN=<token>')],
  ['lldpd', file('lldpd', '/usr/local/etc/lldpd/lldpd.conf', 'configure lldp status tx-only')],
  ['nebula', file('nebula', '/usr/local/etc/nebula/config.yml', '<config.yml>')],
  ['netbird', environment('netbird', 'NB_SETUP_KEY=<key>')],
  ['newt', environment('newt', 'NEWT_ID=<id>')],
  ['nut-client', file('nut-client', '/usr/local/etc/nut/upsmon.conf', '<upsmon.conf>')],
  ['tailscale', environment('tailscale', 'TS_AUTHKEY=<key>')],
  ['zerotier', environment('zerotier', 'ZEROTIER_NETWORK=<id>')],
])

function file(name: string, path: string, content: string): string {
  return `extensionServices: [{name: ${name}, configFiles: [{mountPath: ${path}, content: ${content}}]}]`
}

function environment(name: string, variable: string): string {
  return `extensionServices: [{name: ${name}, environment: [${variable}]}]`
}
