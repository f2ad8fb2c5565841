import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const killedWithinMs = 10_000

type Found = { pid: number; argv: string[] }

/**
 * The processes of the lab in `stateDir`, known by their arguments and nothing else: etcd by its data folder, the servers
 * of Kubernetes by their files, the daemon by its configuration file. A pid that was written down could be someone else's
 * by now.
 */
export function labProcesses(stateDir: string): number[] {
  return running()
    .filter(({ argv }) => {
      const isKubernetes = argv.some((word) => word.includes(`=${join(stateDir, 'kubernetes')}/`))
      const isEtcd = argv.some((word) => word.startsWith(`--data-dir=${join(stateDir, 'etcd')}/`))
      const isDaemon =
        argv.includes(join(stateDir, 'config.json')) && argv.some((word) => word.endsWith('lab/daemon.ts'))
      return isEtcd || isKubernetes || isDaemon
    })
    .map(({ pid }) => pid)
}

/** Kills what is left of the lab's processes after `graceMs`, and resolves when they are gone; rejects 10 s later. */
export async function endLabProcesses(stateDir: string, graceMs: number): Promise<void> {
  const killAt = performance.now() + graceMs
  for (let left = labProcesses(stateDir); left.length > 0; left = labProcesses(stateDir)) {
    if (performance.now() > killAt + killedWithinMs) throw new Error(`processes ${left.join(', ')} do not end`)
    if (performance.now() >= killAt) for (const pid of left) kill(pid)
    await setTimeout(20)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone between the look and the kill
  }
}

function running(): Found[] {
  if (process.platform !== 'linux') {
    return execFileSync('ps', ['-A', '-o', 'pid=,command='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .map(([pid = '', ...argv]) => ({ pid: Number(pid), argv }))
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid: Number(pid), argv: commandLine(pid) }))
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}
