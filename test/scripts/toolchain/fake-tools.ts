import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/**
 * A home folder and a PATH of their own, with tools that are shell scripts. `binary` leaves out the first line that
 * marks a script, so that the file counts as a compiled program; the shell still runs it.
 */
export function fakeTools() {
  const folder = mkdtempSync(join(tmpdir(), 'toolchain-'))
  const bin = join(folder, 'bin')
  const home = join(folder, 'home')
  mkdirSync(bin)
  const env: NodeJS.ProcessEnv = { HOME: home, PATH: `${bin}:/usr/bin:/bin` }
  const calls = join(folder, 'calls')

  const write = (path: string, body: string, { binary = false } = {}): string => {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, `${binary ? '' : '#!/bin/sh\n'}echo called >> ${calls}\n${body}\n`, { mode: 0o755 })
    return path
  }

  return {
    folder,
    bin,
    env,
    /** an etcd that says it is `version` */
    etcd: (path: string, version: string, kind?: { binary: boolean }) =>
      write(path, `echo "etcd Version: ${version}"`, kind),
    /** a talosctl that says it is `version` */
    talosctl: (path: string, version: string) => write(path, `printf 'Client:\\n\\tTag:         v${version}\\n'`),
    /** a Go whose builds of etcd take until `before` has run, and say that they are `version` */
    go: (version: string, before = ':') =>
      write(
        join(bin, 'go'),
        `while [ "$1" != -o ]; do shift; done
${before}
printf '#!/bin/sh\\necho "etcd Version: ${version}"\\n' > "$2"
chmod +x "$2"`,
      ),
    /** how often any of the fake tools was started */
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0),
    /** `npm run tools`, started by this node */
    tools(argv: string[]) {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', join(root, 'scripts/toolchain/get-tools.ts'), ...argv],
        {
          cwd: root,
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (output += text))
      const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
        child.on('close', (code) => resolve({ code, output })),
      )
      return { child, ended, output: () => output }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
