import { createReadStream, readFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { checkLog, invariants } from './check.ts'
import { askLab, type ControlReply, type ControlRequest } from './control.ts'
import { labDown } from './down.ts'
import { faultCatalogue, faultKind, isFaultName } from './fault-catalogue.ts'
import { isThere } from './is-there.ts'
import { labPaths, readLabConfig } from './lab-config.ts'
import type { LoggedEvent } from './lab-event.ts'
import type { LabExit } from './lab-exit.ts'
import { describeLab } from './status.ts'

/** What the verbs of `workflows/lab.ts` other than `up` need to know: the flags as they were typed. */
export type LabCommand = {
  verb: string
  cluster: string
  clusterDir: string
  fault: {
    name?: string | undefined
    node?: string | undefined
    seconds?: number | undefined
    times?: number | undefined
    exitCode?: number | undefined
    when?: string | undefined
    cure: boolean
    cureAll: boolean
    list: boolean
  }
  say: (line: string) => void
  complain: (line: string) => void
}

/** Carries out `down`, `status`, `fault`, `log` or `check` and returns the exit code; 64 for another verb. */
export async function labCommand(command: LabCommand): Promise<LabExit> {
  const { verb, cluster, clusterDir, say, complain } = command
  switch (verb) {
    case 'down': {
      const wasUp = await labDown(clusterDir)
      say(wasUp ? `The lab of ${cluster} is down` : `No lab of ${cluster} is up`)
      return 0
    }
    case 'status': {
      const reply = await ask(command, { verb: 'status' })
      if (reply === undefined) return 69
      for (const line of describeLab(reply)) say(line)
      return 0
    }
    case 'fault':
      return fault(command)
    case 'log': {
      const { log } = labPaths(clusterDir)
      if (!isThere(log)) return missingLog(command)
      await pipeline(createReadStream(log), process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
        // whoever reads it has seen enough (`| head`)
        if (error.code !== 'EPIPE') throw error
      })
      return 0
    }
    case 'check':
      return check(command)
    default:
      complain(`"${verb}" is none of up, down, status, fault, log, check`)
      return 64
  }
}

async function fault(command: LabCommand): Promise<LabExit> {
  const { say, complain } = command
  const { name, node, seconds, times, exitCode, when, cure, cureAll, list } = command.fault
  if (list) {
    for (const known of Object.keys(faultCatalogue).filter(isFaultName)) {
      const kind = faultKind(known)
      const length = kind.seconds === undefined ? '' : ` (${kind.seconds} s)`
      say(`${known.padEnd(30)} ${kind.summary}${length}; ends: ${kind.ends}`)
    }
    return 0
  }
  if (name === undefined && !cureAll) {
    complain('Say which fault: lab.ts fault <name> --node <node>, --cure <name>, --cure-all or --list')
    return 64
  }
  if (cure || cureAll) {
    const reply = await ask(command, { verb: 'cure', name: cureAll ? undefined : name, node })
    if (reply === undefined) return 69
    if (reply.error !== undefined) return failed(command, reply.error)
    say(`${reply.cured} cured`)
    return 0
  }
  if (name === undefined || node === undefined) {
    complain('Say on which node: --node <node>')
    return 64
  }
  const reply = await ask(command, { verb: 'inject', fault: { name, node, seconds, times, exitCode, when } })
  if (reply === undefined) return 69
  if (reply.error !== undefined) return failed(command, reply.error)
  say(`${node}: ${name}${when === undefined ? '' : `, at the next "${when}"`}`)
  return 0
}

function check(command: LabCommand): LabExit {
  const { log } = labPaths(command.clusterDir)
  if (!isThere(log)) return missingLog(command)
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  const breaches = checkLog(lines.map((line) => JSON.parse(line) as LoggedEvent))
  for (const [name, sentence] of Object.entries(invariants)) {
    const broken = breaches.filter(({ invariant }) => invariant === name)
    command.say(`${broken.length === 0 ? 'holds ' : 'BROKEN'}  ${name}: ${sentence}`)
    for (const { at, sentence } of broken) command.say(`          ${at} ${sentence}`)
  }
  return breaches.length === 0 ? 0 : 1
}

async function ask(command: LabCommand, request: ControlRequest): Promise<ControlReply | undefined> {
  const config = readLabConfig(labPaths(command.clusterDir))
  const reply = config && (await askLab(config.socketPath, request))
  if (reply === undefined) command.complain(`No lab of ${command.cluster} is up`)
  return reply
}

function failed(command: LabCommand, reason: string): LabExit {
  command.complain(reason)
  return 64
}

function missingLog(command: LabCommand): LabExit {
  command.complain(`There is no log of a lab of ${command.cluster}`)
  return 69
}
