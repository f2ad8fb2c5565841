import type { Problem } from '../../model/problem.ts'
import { everywhere, type Subject } from './subject.ts'

/** Talos warns of machine.install.extensions, and a warning is an error to talhelper: nothing would be generated. */
export const installExtensions = (subject: Subject): Problem[] =>
  everywhere(subject, 'machine', 'install', 'extensions').map((extensions) => {
    const names = extensions
      .items()
      .flatMap((item) => item.get('image').text() ?? [])
      .map(({ value }) => extensionOf(value))
    return extensions.key(
      'machine.install.extensions does not install anything any more: extensions are part of the image',
      `schematic: {customization: {systemExtensions: {officialExtensions: [${names.join(', ')}]}}}`,
    )
  })

/** `ghcr.io/siderolabs/iscsi-tools:v0.1.4` → `siderolabs/iscsi-tools` */
const extensionOf = (image: string): string =>
  image
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '')
    .split('/')
    .slice(-2)
    .join('/')
