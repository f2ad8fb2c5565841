/**
 * sops' command lines, as data, and what its exit codes mean. The plain text goes through pipes. Its configuration is
 * always named: by itself sops looks upwards from the current folder, not from the file.
 */
import type { Command, CommandResult } from '../run.ts'
import { howEnded } from './ended.ts'

/** Every call of sops that the project makes. */
export const sopsCommands = {
  /** Encrypts YAML from memory by the rule of `config` that fits `file`; the result is on standard output. */
  encrypt: ({ config, file, plaintext }: { config: string; file: string; plaintext: string }): Command => ({
    tool: 'sops',
    argv: ['--config', config, 'encrypt', '--filename-override', file, '--input-type', 'yaml', '--output-type', 'yaml'],
    stdin: plaintext,
    timeoutMs: 60_000,
    mutates: false,
  }),
  /** The plain text on standard output, after the MAC was found right: for a pipe and memory only. */
  decrypt: ({ config, file }: { config?: string | undefined; file: string }): Command => ({
    tool: 'sops',
    argv: [
      ...(config === undefined ? [] : ['--config', config]),
      'decrypt',
      '--input-type',
      'yaml',
      '--output-type',
      'yaml',
      file,
    ],
    timeoutMs: 60_000,
    mutates: false,
  }),
}

/** Its exit codes (cmd/sops/codes) that a person can do something about. */
const MEANINGS: Readonly<Record<number, string>> = {
  2: 'the file can not be read',
  5: '.sops.yaml can not be read',
  24: 'its MAC can not be decrypted: sops.mac or sops.lastmodified was changed by hand',
  25: 'one of its values can not be decrypted: it was damaged, or moved to another key',
  51: 'its MAC does not match: a value was changed, added or removed after it was encrypted',
  52: 'it has no MAC, so nobody can tell whether it was changed',
  100: 'the file is not there',
  111: 'it says of no key by which it is encrypted',
  128: 'none of the keys that sops found opens it',
}

/**
 * Why sops ended like this. Of what it prints only one complaint is taken, that about the keys of a rule: others may quote
 * the file.
 */
export function sopsMeaning(result: CommandResult): string {
  const keys = /^Could not generate data key: \[?(.*)$/m.exec(result.stderr)?.[1]
  const known = result.ended.by === 'exit' ? (MEANINGS[result.ended.code] ?? keys) : undefined
  return known ?? `sops ${howEnded(result)}`
}
