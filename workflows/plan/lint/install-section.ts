import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { everywhere, ofNode, patched, type Subject, type SubjectNode } from './subject.ts'

/** What machine.install says that contradicts the image, or is dangerous to keep. */
export const installSection = (subject: Subject): Problem[] => [
  ...subject.nodes.flatMap(kernelArguments),
  ...everywhere(subject, 'machine', 'install', 'wipe')
    .filter(({ value }) => value === true)
    .map((wipe) => warning(wipe.key('every installation would empty the disk', 'wipe: false'))),
  ...everywhere(subject, 'machine', 'install', 'image').filter(isUrl).map(imageUrl),
  ...subject.nodes
    .flatMap((node) => ofNode(node, 'talosImageURL') ?? [])
    .filter(isUrl)
    .map(imageUrl),
]

/** talhelper generates grubUseUKICmdline: true, with which Talos takes the kernel arguments of the image. */
function kernelArguments(node: SubjectNode): Problem[] {
  const args = patched(node, 'machine', 'install', 'extraKernelArgs')
  if (args === undefined || patched(node, 'machine', 'install', 'grubUseUKICmdline')?.value === false) return []
  const list = args.texts().map(({ value }) => value)
  return [
    args.key(
      'kernel arguments are part of the image: Talos refuses extraKernelArgs beside grubUseUKICmdline',
      `schematic: {customization: {extraKernelArgs: [${list.join(', ')}]}}`,
    ),
  ]
}

const isUrl = ({ value }: Place): boolean => typeof value === 'string' && /^https?:\/\//.test(value)

/** The address of a download holds the schematic that the installer of the same image is called by. */
function imageUrl(image: Place): Problem {
  const schematic = /[0-9a-f]{64}/.exec(String(image.value))?.[0] ?? '<schematic id>'
  return image.key(
    'an installer is the name of a container image, and no address to download from',
    `talosImageURL: factory.talos.dev/metal-installer/${schematic}`,
  )
}
