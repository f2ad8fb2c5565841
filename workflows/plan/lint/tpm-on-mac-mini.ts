import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { ofNode, type Subject, type SubjectNode } from './subject.ts'

/** Intel Mac minis have no TPM 2.0 that Talos could use: the T2 chip is none. */
export const tpmOnMacMini = ({ nodes }: Subject): Problem[] =>
  nodes
    .filter(isMacMini)
    .flatMap((node) =>
      tpmKeys(node).map((tpm) =>
        warning(
          tpm.key(
            `${node.hostname} looks like a Mac mini, which has no TPM: its disk could not be encrypted`,
            'nodeID: {}',
          ),
        ),
      ),
    )

/** The disk of a Mac calls itself APPLE SSD …; people who label their machines say it as well. */
function isMacMini(node: SubjectNode): boolean {
  const { value: model } = node.own.get('installDiskSelector', 'model')
  const labels = ofNode(node, 'nodeLabels')?.entries() ?? []
  return /^APPLE/i.test(String(model)) || labels.some(([, { value }]) => /^mac-?mini/i.test(String(value)))
}

function tpmKeys(node: SubjectNode): Place[] {
  const patches = [...node.patches, ...node.global]
  const volumes = ['volumes', 'userVolumes'].flatMap((key) => ofNode(node, key)?.items() ?? [])
  const documents = patches.flatMap((patch) =>
    patch.documents.filter((document) => /^(User)?VolumeConfig$/.test(String(document.get('kind').value))),
  )
  const fields = patches
    .flatMap(({ configs }) => configs.map((config) => config.get('machine', 'systemDiskEncryption')))
    .flatMap((encryption) => encryption.entries().map(([, volume]) => volume))
  return [...[...volumes, ...documents].map((volume) => volume.get('encryption')), ...fields]
    .flatMap((encryption) => encryption.get('keys').items())
    .map((key) => key.get('tpm'))
    .filter(({ value }) => value !== undefined)
}
