import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { everywhere, ofNode, type Subject } from './subject.ts'

/** Storage that is told to Talos in ways which it no longer has, or is about to lose. */
export const deprecatedStorage = (subject: Subject): Problem[] => [
  ...[
    ...everywhere(subject, 'machine', 'disks'),
    ...subject.nodes.flatMap((node) => ofNode(node, 'machineDisks') ?? []),
  ].map((disks) =>
    warning(disks.key('machine.disks is deprecated: a disk for data is a user volume', userVolumes(disks))),
  ),
  ...everywhere(subject, 'machine', 'userVolumes').map((volumes) =>
    volumes.key(
      'machine.userVolumes is no field: each user volume is a document of its own',
      `userVolumes of the node in talconfig, or a patch with {apiVersion: v1alpha1, kind: UserVolumeConfig, name: ${volumes.get(0, 'name').value ?? '<name>'}}`,
    ),
  ),
  ...everywhere(subject, 'machine', 'files').map((files) =>
    warning(
      files.key(
        'machine.files is about to go: Talos 1.14 warns of it, and a warning is an error to talhelper',
        'a service of an extension has extensionServices; for others there are documents such as UdevRulesConfig',
      ),
    ),
  ),
]

/** A user volume is mounted at /var/mnt/<name>, wherever the partition was mounted before. */
function userVolumes(disks: Place): string {
  const volumes = disks.items().map((disk) => {
    const device = String(disk.get('device').value)
    const mounted = String(disk.get('partitions', 0, 'mountpoint').value ?? '')
    const name = mounted.split('/').at(-1) || 'data'
    const match = matching(device)
    return `{name: ${name}, provisioning: {diskSelector: {match: '${match}'}, minSize: 1GiB, grow: true}}`
  })
  return `userVolumes: [${volumes.join(', ')}]`
}

/** A device under its kernel's name, under a link to it, or any link of a pattern (which `device` never supported). */
function matching(device: string): string {
  if (/[*?[]/.test(device)) return `disk.symlinks.exists(link, glob("${device}", link))`
  return /^\/dev\/disk\//.test(device) ? `"${device}" in disk.symlinks` : `disk.dev_path == "${device}"`
}
