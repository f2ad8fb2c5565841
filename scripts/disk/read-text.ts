import { readFileSync, statSync } from 'node:fs'
import { shellWord } from '../cli/shell-word.ts'
import { named } from './on-disk.ts'
import { UnfitFile } from './unfit-file.ts'

/** What the shell hands over open, as in `--file <(terraform output …)`, and what stands for an empty file. */
const NO_FILES_BUT_READ = /^\/dev\/(null|stdin|fd\/\d+)$/

/** More than anybody writes: what is larger is no text, and would take all memory. */
const MOST_MIB = 32

/**
 * The text of a file that a person or a tool of theirs wrote. Throws what the disk says, or an UnfitFile. It waits for
 * nobody: a pipe that nobody writes to would hold up this process, which hears no signal while it reads.
 */
export function readText(path: string): string {
  return named(path, () => {
    const stat = statSync(path)
    if (!stat.isFile() && !stat.isDirectory() && !NO_FILES_BUT_READ.test(path))
      throw new UnfitFile(`${path} is no regular file, and one is wanted`, `ls -l ${shellWord(path)}`)
    if (stat.size > MOST_MIB * 2 ** 20)
      throw new UnfitFile(`${path} is larger than ${MOST_MIB} MiB`, `ls -lh ${shellWord(path)}`)
    const bytes = readFileSync(path)
    const text = bytes.toString()
    // what stands for bytes that are no text may be meant
    if (text.includes(NO_TEXT) && !bytes.equals(Buffer.from(text)))
      throw new UnfitFile(`${path}:${firstPlace(text)}: this is no text in UTF-8`, `file ${shellWord(path)}`)
    return text
  })
}

const NO_TEXT = '\ufffd'

function firstPlace(text: string): string {
  const lines = text.slice(0, text.indexOf(NO_TEXT)).split('\n')
  return `${lines.length}:${(lines.at(-1) ?? '').length + 1}`
}
