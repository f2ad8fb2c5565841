import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const programs = ['talosctl', 'kubectl', 'talhelper', 'sops', 'age-keygen', 'terraform'] as const

/** All versions at once: each program finds its own. */
const versions = (minor: string) => [
  `	Tag: v${minor}.9`,
  'Client Version: v1.36.3',
  'talhelper version 3.1.16',
  'sops 3.13.3',
  '1.3.2',
]

/**
 * Tools that tell their versions and then say nothing for ever, whatever signal asks them to end. `env` names them; `started`
 * tells their pids.
 */
export function deafTools({ evenVersions = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'deaf-'))
  const pids = join(folder, 'pids')
  const write = (name: string, minor: string): string => {
    const path = join(folder, name)
    const tells = evenVersions
      ? []
      : [
          'case "$1" in',
          `version|--version) printf '%s\\n' ${versions(minor)
            .map((line) => `'${line}'`)
            .join(' ')}; exit 0;;`,
          'esac',
        ]
    const lines = ['#!/bin/sh', ...tells, "trap '' TERM INT HUP", `echo $$ >>'${pids}'`, 'while :; do sleep 1; done']
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 })
    return path
  }
  const named = Object.fromEntries(
    programs.slice(1).map((program) => [program.replace('-', '_').toUpperCase(), write(program, '1.14')]),
  )
  const env = {
    ...named,
    TALOSCTL: '',
    TALOSCTL_1_13: write('talosctl-1.13', '1.13'),
    TALOSCTL_1_14: write('talosctl', '1.14'),
  }
  return {
    env,
    started: (): number[] =>
      existsSync(pids) ? readFileSync(pids, 'utf8').split('\n').filter(Boolean).map(Number) : [],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
