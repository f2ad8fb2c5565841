/**
 * The lab's own process: `node --import tsx lab/daemon.ts <config.json>`. Started by `up`, which tells it to begin when
 * the configuration is written, and which it tells when the lab is up or the reason why not; ended by SIGTERM, SIGINT, the control socket, or the end of the process that it is to die with.
 */
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { serveControl } from './control.ts'
import { startLab } from './lab.ts'
import type { LabConfig } from './lab-config.ts'

const configPath = process.argv[2] ?? ''
if (process.connected) {
  process.once('disconnect', () => process.exit(1))
  await once(process, 'message')
  process.removeAllListeners('disconnect')
}
const config = JSON.parse(readFileSync(configPath, 'utf8')) as LabConfig
const stateDir = dirname(configPath)
const tell = (message: { up: true } | { failed: string }) => {
  if (process.connected) process.send?.(message, () => process.connected && process.disconnect())
}

// a promise that nobody waits for must not take the whole cluster down
process.on('unhandledRejection', (error) => process.stderr.write(`${new Date().toISOString()} ${trace(error)}\n`))
process.on('uncaughtException', (error) => process.stderr.write(`${new Date().toISOString()} ${trace(error)}\n`))

try {
  const lab = await startLab(config, {
    log: join(stateDir, 'log.ndjson'),
    etcd: join(stateDir, 'etcd'),
    kubernetes: join(stateDir, 'kubernetes'),
  })
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= lab.stop().then(() => {
      control.close()
      rmSync(config.socketPath, { force: true })
      process.exit(0)
    })
    return stopping
  }
  const control = await serveControl(config.socketPath, async (request) => {
    // the answer goes out before the end
    if (request.verb === 'stop') setImmediate(stop)
    return lab.handle(request)
  })
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const { dieWith } = config
  if (dieWith !== undefined) setInterval(() => isGone(dieWith) && stop(), 300)
  await lab.up
  tell({ up: true })
} catch (error) {
  process.stderr.write(`${trace(error)}\n`)
  tell({ failed: error instanceof Error ? error.message : String(error) })
  process.exitCode = 1
  setImmediate(() => process.exit())
}

function trace(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
