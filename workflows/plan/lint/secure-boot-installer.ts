import type { Problem } from '../../model/problem.ts'
import { ofNode, patched, type Subject } from './subject.ts'

/** A node with Secure Boot is installed from a signed image, and only such a node is. */
export const secureBootInstaller = ({ nodes }: Subject): Problem[] =>
  nodes.flatMap((node) => {
    const secure = ofNode(node, 'machineSpec')?.get('secureboot').value === true
    return [ofNode(node, 'talosImageURL'), patched(node, 'machine', 'install', 'image')].flatMap((image) => {
      const written = String(image?.value)
      const installer = /\/(?:[a-z]+-)?installer(-secureboot)?(?=[/:]|$)/.exec(written)
      if (!image || !installer || (installer[1] !== undefined) === secure) return []
      const signed = written.replace(installer[0], `${installer[0]}-secureboot`)
      return [
        secure
          ? image.key(`${node.hostname} boots with Secure Boot, and this installer is not signed for it`, signed)
          : image.key(
              `the installer is for Secure Boot, and ${node.hostname} is not declared to have it`,
              `machineSpec: {secureboot: true}, or ${written.replace(/-secureboot(?=[/:]|$)/, '')}`,
            ),
      ]
    })
  })
