import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { invariants } from '../../lab/check.ts'
import { faultCatalogue } from '../../lab/fault-catalogue.ts'
import { labPaths, socketPathFor } from '../../lab/lab-config.ts'
import { labProcesses } from '../../lab/lab-processes.ts'
import { eventually } from '../support/eventually.ts'
import { type Ended, startLab } from '../support/lab.ts'

const root = join(import.meta.dirname, '../..')

/** Temporary files of all that this file starts, and of itself. */
const temporary = mkdtempSync(join(tmpdir(), 'temporary-'))
process.env.TMPDIR = temporary
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }))

/** One lab for all tests of this file, in their order: what is destroyed is brought up again by the next. */
const lab = await startLab()
const paths = labPaths(lab.clusterDir)
const declared = readFileSync(join(lab.clusterDir, 'lab.yaml'), 'utf8')
const talosconfig = join(lab.clusterDir, 'talosconfig')

/** The entry, as a person types it but for npx. */
function entry(...argv: string[]): Ended {
  const words = ['--import', 'tsx', join(root, 'workflows/lab.ts'), ...argv, '--cluster', lab.cluster, '--dir', lab.dir]
  const env = {
    ...process.env,
    TALOSCTL: lab.tools.talosctl,
    ETCD_3_6: lab.tools.etcd['3.6'],
    ETCD_3_7: lab.tools.etcd['3.7'],
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8', env })
  return { code: status, stdout, stderr }
}

function daemon(): number {
  const pid = labProcesses(paths.stateDir).find((candidate) => commandLine(candidate).includes('lab/daemon.ts'))
  if (pid === undefined) throw new Error('the lab has no process')
  return pid
}

function commandLine(pid: number): string {
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout
}

function allGone(): Promise<true> {
  const look = () => (labProcesses(paths.stateDir).length === 0 ? true : undefined)
  return eventually(look, () => `these do not end: ${labProcesses(paths.stateDir).join()}`)
}

function assertNothingLeft(): void {
  assert.equal(labProcesses(paths.stateDir), [])
  assert.not.ok(existsSync(socketPathFor(paths.stateDir)))
  assert.not.ok(existsSync(talosconfig))
  assert.equal(readdirSync(paths.stateDir), ['log.ndjson'])
}

test.after(async () => lab.down())

test('A lab that is up has a process, an etcd for each control plane, and secrets that only the owner reads', () => {
  assert.is(labProcesses(paths.stateDir).length, 4)
  assert.is(statSync(paths.stateDir).mode & 0o777, 0o700)
  for (const file of [paths.config, paths.talosconfig, talosconfig, socketPathFor(paths.stateDir)]) {
    assert.is(statSync(file).mode & 0o077, 0, file)
  }
  assert.is(readFileSync(join(lab.clusterDir, '.run', '.gitignore'), 'utf8'), '*\n')
})

test('The talosconfig names all control planes, and talosctl reaches every node through any of them', async () => {
  const addresses = Object.values(lab.addresses)
  for (const endpoint of addresses) {
    const { code, stdout, stderr } = await lab.talosctl(['-e', endpoint, '-n', addresses.join(','), 'version'])
    assert.is(code, 0, stderr)
    assert.is(stdout.match(/Tag: +v1\.13\.5/g)?.length, 3)
  }
  for (const address of addresses) assert.match(readFileSync(talosconfig, 'utf8'), address)
})

test('A second up says that the lab is up and changes nothing', () => {
  const before = daemon()
  const { code, stdout } = entry('up')
  assert.is(code, 0)
  assert.match(stdout, 'is up already')
  assert.is(daemon(), before)
})

test('status shows every node, what waits in its other slot, and the faults', async () => {
  await lab.fault({ name: 'slow-boot', node: 'k8s-1' })
  await lab.fault({ name: 'wrong-ca', node: 'k8s-2', when: 'k8s-3 ready' })
  const { code, stdout } = entry('status')
  assert.is(code, 0)
  assert.match(stdout, /k8s-3 +127\.[\d.]+ +controlplane +running, ready +v1\.13\.5 in A +healthy +-/)
  assert.match(stdout, 'fault in force: slow-boot on k8s-1')
  assert.match(stdout, 'fault waiting for "k8s-3 ready": wrong-ca on k8s-2')
  await lab.cure()
})

test('The fault verb lists, injects, cures, and refuses what makes no sense', () => {
  assert.is(entry('fault', '--list').stdout.trim().split('\n').length, Object.keys(faultCatalogue).length)
  assert.is(entry('fault', 'slow-boot', '--node', 'k8s-1', '--seconds', '5', '--times', '1').code, 0)
  assert.match(entry('fault', '--cure', 'slow-boot').stdout, '1 cured')
  assert.match(entry('fault', '--cure-all').stdout, '0 cured')
  const wrong = entry('fault', 'rain', '--node', 'k8s-1')
  assert.is(wrong.code, 64)
  assert.match(wrong.stderr, 'there is no fault "rain"')
  assert.is(entry('fault', 'slow-boot').code, 64)
})

test('log prints the log, and check says of every invariant that it holds', () => {
  assert.match(entry('log').stdout, '"type":"lab.up"')
  const { code, stdout } = entry('check')
  assert.is(code, 0)
  assert.is(stdout.match(/^holds /gm)?.length, Object.keys(invariants).length)
})

test('A second up of a lab with a node that is not ready exits 1 and names it', async () => {
  await lab.fault({ name: 'etcd-member-down', node: 'k8s-2' })
  const { code, stdout } = entry('up')
  assert.is(code, 1)
  assert.match(stdout, 'not ready: k8s-2')
  await lab.cure()
})

test('up after the lab was killed with -9 removes what it left and starts anew', () => {
  const killed = daemon()
  process.kill(killed, 'SIGKILL')
  const git = (...argv: string[]) => spawnSync('git', argv, { cwd: lab.dir, encoding: 'utf8' }).stdout
  git('init', '-q')
  const { code, stdout, stderr } = entry('up', '--die-with', String(process.pid))
  assert.is(code, 0, stderr)
  assert.match(stdout, 'killed lab')
  assert.is.not(daemon(), killed)
  assert.is(labProcesses(paths.stateDir).length, 4)
  const added = git('add', '-n', '.')
  assert.match(added, '/lab.yaml')
  assert.not.match(added, /talosconfig|\.run/)
})

test('down leaves nothing but the log', () => {
  assert.ok(existsSync(socketPathFor(paths.stateDir)))
  assert.is(entry('down').code, 0)
  assertNothingLeft()
  assert.ok(lab.log().some(({ type }) => type === 'lab.down'))
  assert.match(entry('down').stdout, 'No lab of')
})

test('up with an address that is taken exits 69, says which, and starts nothing', async () => {
  const address = Object.values(lab.addresses)[1] ?? ''
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(50000, address, resolve))
  const { code, stdout } = entry('up')
  other.close()
  assert.is(code, 69)
  assert.match(stdout, `${address}:50000 is taken`)
  assertNothingLeft()
})

test("up refuses to overwrite a talosconfig that is not the lab's, and down keeps it", () => {
  writeFileSync(talosconfig, 'context: production\n')
  const { code, stdout } = entry('up')
  assert.is(code, 77)
  assert.match(stdout, "not the lab's")
  assert.is(entry('down').code, 0)
  assert.is(readFileSync(talosconfig, 'utf8'), 'context: production\n')
  rmSync(talosconfig)
})

test('A wrong lab.yaml exits 65 and names every problem', () => {
  const wrong = 'speed: fast\nmachines: {k8s-1: {version: 1.13}}\ntimings: {pull: 3}\n'
  writeFileSync(join(lab.clusterDir, 'lab.yaml'), wrong)
  const { code, stdout } = entry('up')
  assert.is(code, 65)
  for (const path of ['speed', 'machines.k8s-1.version', 'timings.pull']) assert.match(stdout, `lab.yaml: ${path}`)
})

test('A lab that does not get up says why, exits 1 and leaves nothing', () => {
  writeFileSync(join(lab.clusterDir, 'lab.yaml'), 'faults: [{name: rain, node: k8s-1}]\n')
  const { code, stdout } = entry('up')
  assert.is(code, 1)
  assert.match(stdout, 'there is no fault "rain"')
  assertNothingLeft()
})

test('A lab ends with the process that it is to die with, in the middle of a reboot too', async () => {
  writeFileSync(join(lab.clusterDir, 'lab.yaml'), declared)
  const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  assert.is(entry('up', '--die-with', String(parent.pid)).code, 0)
  assert.is((await lab.talosctl(['-n', lab.addresses['k8s-1'] ?? '', 'reboot', '--wait=false'])).code, 0)
  parent.kill('SIGKILL')
  assert.ok(await allGone())
})

test('down leaves nothing behind after the lab was killed with -9', () => {
  assert.is(entry('up', '--die-with', String(process.pid)).code, 0)
  process.kill(daemon(), 'SIGKILL')
  assert.is(entry('down').code, 0)
  assertNothingLeft()
})

test('nothing of all that is left in the temporary folder', () => {
  // the folder of the lab's declaration, and what tsx remembers of sources
  assert.equal(
    readdirSync(temporary).filter((name) => !/^(lab|tsx)-/.test(name)),
    [],
  )
})

test.run()
