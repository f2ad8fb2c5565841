// limit: 900 s
/** What people meet when they upgrade clusters that are not well, or that somebody else has a say in. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { verdictText } from '../../workflows/model/verdict.ts'
import { eventually } from '../support/eventually.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { changesOf, untilWell } from '../support/lab-changes.ts'
import { typeHint } from '../support/type-hint.ts'
import { assertEnding, runUpgrade, type UpgradeRun } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'
import { crashing, daemon, deployment, ending } from '../support/workloads.ts'

const test = suite('what people meet in operation')
const workers = ['worker-1', 'worker-2']
const upgrade = { soak: '500ms' }
/** the containers end at once, and might take an hour */
const patient = deployment('patient', 1, { terminationGracePeriodSeconds: 3600 })
let lab: TestLab

test.before(async () => {
  const workloads = [deployment('web', 2), patient]
  lab = await startLab({ kubernetes: true, controlPlanes: 1, workers: 2, workloads, speed: 40 })
})
test.after(() => lab?.down())

const kubectl = async (argv: readonly string[], object?: object): Promise<string> => {
  const { code, stdout, stderr } = await lab.kubectl(argv, object && { stdin: JSON.stringify(object) })
  assert.is(code, 0, stderr)
  return stdout
}
const create = (object: object) => kubectl(['create', '-f', '-'], object)
const homeOf = async (app: string) =>
  kubectl(['get', 'pods', `--selector=app=${app}`, '--output=jsonpath={.items[0].spec.nodeName}'])
const other = (node: string) => workers.find((name) => name !== node) ?? ''

const to = (version: string, nodes: readonly string[]) => ['--to', version, '--nodes', nodes.join(',')]
const whyOf = (run: UpgradeRun, node?: string) => run.finished.failures.find((failure) => failure.node === node)
const left = { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment', metadata: { name: 'left-behind' } }

test('what can be foreseen is refused before anything starts, each with the way out of it', async () => {
  const home = await homeOf('patient')
  const away = other(home)
  await lab.fault({ name: 'pod-hangs', node: away })
  const spec = { attacher: 'csi.gone', nodeName: away, source: { persistentVolumeName: 'gone' } }
  await create({ ...left, spec })
  const run = await runUpgrade(lab, { flags: to('v1.13.6', workers), operations: { upgrade } })
  assertEnding(run, workers, { code: 77, verdicts: ['refused', 'refused'], reasons: ['drain-would-block'] })
  const [long, hangs] = [whyOf(run, home), whyOf(run, away)]
  assert.match(
    long?.detail ?? '',
    /^default\/patient-\S+ may take 1h to end \(terminationGracePeriodSeconds\), longer than drain\.timeout \(10m\)/,
  )
  assert.match(long?.hint ?? '', 'drain.timeout 61m in operations.yaml')
  assert.match(
    hangs?.detail ?? '',
    /default\/lab-hangs-on-\S+ hangs in Terminating: it should have ended 1d\S* ago; .*VolumeAttachment left-behind is for the PersistentVolume gone, which is gone/,
  )
  await typeHint(lab, hangs?.hint ?? '')
  assert.equal(changesOf(lab.log()), [])
  assert.equal(await lab.cordoned(), [])
})

test('what was unwell before is named, and not waited for: upgraded, unwell as before', async () => {
  await create(crashing(daemon('agent')))
  const isUnwell = async () => {
    const said = await kubectl(['get', 'pods', '--selector=app=agent', '--output=wide', '--no-headers'])
    return workers.every((node) => new RegExp(`CrashLoopBackOff.* ${node} `).test(said)) || undefined
  }
  await eventually(isUnwell, () => 'the pods of the DaemonSet do not crash')
  const told = join(lab.dir, 'told.json')
  const operations = { upgrade, drain: { whenBlocked: 'try', timeout: '60s' }, after: `cat > '${told}'` }
  const run = await runUpgrade(lab, { flags: to('v1.13.6', workers), operations })
  assertEnding(run, workers, { code: 0, verdicts: ['upgraded', 'upgraded'], reasons: [] })
  const started = run.events.find((event) => event.type === 'run.started')
  const notes = started?.plan.notes.join('\n') ?? ''
  for (const node of workers)
    assert.match(notes, new RegExp(`^${node} is unwell now, .*DaemonSet default/agent is not ready`, 'm'))
  assert.match(notes, /default\/lab-hangs-on-\S+ hangs in Terminating, the volume of left-behind is gone$/m)
  const texts = run.events.flatMap((event) =>
    event.type === 'verdict' ? [verdictText(event.verdict, event.evidence)] : [],
  )
  assert.equal(texts, ['upgraded, unwell as before', 'upgraded, unwell as before'])
  assert.equal(await lab.cordoned(), [])
  assert.equal(lab.check(), [])

  const report: { exitCode: number; verdicts: Record<string, { verdict: string }> } = JSON.parse(
    readFileSync(told, 'utf8'),
  )
  const verdicts = workers.map((node) => report.verdicts[node]?.verdict)
  assert.equal([report.exitCode, verdicts], [0, ['upgraded', 'upgraded']], 'the command after the run was told of it')
  rmSync(told)
  const again = await runUpgrade(lab, { flags: to('v1.13.6', workers) })
  assertEnding(again, workers, { code: 0, verdicts: ['unchanged', 'unchanged'], reasons: [] })
  assert.not.ok(existsSync(told), 'there was nothing to tell')

  await lab.cure()
  await kubectl(['delete', 'volumeattachment/left-behind', 'daemonset/agent', 'deployment/patient'])
})

/** Evictions from the node since that line of the log, as the API server answered them. */
const evictions = (from: number, node: string): number[] =>
  lab
    .log()
    .slice(from)
    .flatMap((event) => (event.type === 'pod.evicted' && !event.dryRun && event.node === node ? [event.code] : []))

test('a pod that takes its hour is waited for until the drain is over; then the cordon is given back', async () => {
  await create(ending(patient, 3600))
  await kubectl(['wait', 'deployment/patient', '--for=condition=Available', '--timeout=120s'])
  const home = await homeOf('patient')
  const drain = { whenBlocked: 'try', timeout: '8s' }
  const from = lab.log().length
  // that it fails to tell of the run is no matter of the run
  const run = await runUpgrade(lab, { flags: to('v1.13.7', [home]), operations: { upgrade, drain, after: 'exit 7' } })
  assertEnding(run, [home], { code: 1, verdicts: ['installed-not-rebooted'], reasons: ['drain-blocked'] })
  const why = whyOf(run, home)
  assert.match(
    why?.detail ?? '',
    /default\/patient-\S+ was evicted and may take 1h to end, longer than drain\.timeout \(8s\)/,
  )
  assert.match(why?.hint ?? '', 'drain.timeout 61m in operations.yaml')
  assert.match(run.stderr, 'Warning: the command `after` of operations.yaml ended with 7')
  assert.equal(await lab.cordoned(), [])
  assert.ok(evictions(from, home).every((code) => code === 201))
  await kubectl(['delete', 'deployment/patient'])
  await kubectl(['delete', 'pods', '--selector=app=patient', '--grace-period=0', '--force'])
})

test('a webhook that refuses evictions is named in its words; when its operator moves the pods, the drain goes on', async () => {
  // what was installed for the run before goes on there
  const node = (await waitingNode()) ?? ''
  await kubectl(['uncordon', node])
  await bringPodTo(node)
  await lab.fault({ name: 'evictions-refused', node })
  const from = lab.log().length
  const operations = { upgrade, drain: { timeout: '8s' }, after: 'true' }
  const run = await runUpgrade(lab, { flags: to('v1.13.7', [node]), operations })
  assertEnding(run, [node], { code: 1, verdicts: ['installed-not-rebooted'], reasons: ['drain-blocked'] })
  const why = whyOf(run, node)
  assert.match(
    why?.detail ?? '',
    /the webhook drain-cleaner\.lab\.example refuses the eviction \("The pod will be rolled by its operator"\) of default\/web-/,
  )
  await typeHint(lab, why?.hint ?? '')
  assert.equal(await lab.cordoned(), [])
  assert.ok(evictions(from, node).every((code) => code === 500))

  const again = lab.log().length
  const running = runUpgrade(lab, { flags: to('v1.13.7', [node]), operations: { upgrade, drain: { timeout: '60s' } } })
  const isRefused = (event: LoggedEvent) => event.type === 'pod.evicted' && !event.dryRun && event.code === 500
  await lab.logged(isRefused, { from: again })
  const here = `--field-selector=spec.nodeName=${node}`
  await kubectl(['delete', 'pods', '--selector=app=web', here])
  await kubectl(['delete', 'pods', '--namespace=kube-system', '--selector=k8s-app=kube-dns', here])
  assertEnding(await running, [node], { code: 0, verdicts: ['upgraded'], reasons: [] })
  assert.not.ok(evictions(again, node).includes(201), 'nobody went against the webhook')
  await lab.cure()
})

/** The worker in whose other slot something waits. */
async function waitingNode(): Promise<string | undefined> {
  const installed = changesOf(lab.log()).findLast((change) => change.startsWith('install '))
  return installed?.slice('install '.length)
}

/** One of each worker's pods is there to be evicted. */
async function bringPodTo(node: string): Promise<void> {
  await kubectl(['scale', 'deployment/web', '--replicas=4'])
  const isThere = async () => {
    const said = await kubectl(['get', 'pods', '--selector=app=web', '--output=wide', '--no-headers'])
    return new RegExp(`Running .* ${node} `).test(said) || undefined
  }
  await eventually(isThere, () => `no pod came to ${node}`)
}

test('a webhook on Nodes that is down keeps a node up before the cordon, and cordoned after the boot, which is said', async () => {
  const node = workers[0] ?? ''
  await create(deadWebhook)
  const deadlines = { ready: '8s' }
  const operations = { upgrade, drain: { timeout: '60s' } }
  const flags = to('v1.13.8', [node])
  const before = changesOf(lab.log()).filter((change) => change === `reboot ${node}`)
  const early = await runUpgrade(lab, { flags, operations, deadlines })
  assertEnding(early, [node], { code: 1, verdicts: ['installed-not-rebooted'], reasons: ['cordon-failed'] })
  assert.match(whyOf(early, node)?.detail ?? '', 'failed calling webhook "police.nodes.example"')
  assert.equal(
    changesOf(lab.log()).filter((change) => change === `reboot ${node}`),
    before,
  )
  assert.equal(await lab.cordoned(), [])
  await kubectl(['delete', 'validatingwebhookconfiguration/police'])

  const from = lab.log().length
  // it stays away until the webhook is there
  await lab.fault({ name: 'never-returns', node })
  const running = runUpgrade(lab, { flags, operations, deadlines })
  await lab.logged((event) => event.type === 'machine.down' && event.node === node, { from })
  await create(deadWebhook)
  await lab.cure()
  const late = await running
  assertEnding(late, [node], { code: 1, verdicts: ['stuck'], reasons: ['left-cordoned'] })
  const why = whyOf(late, node)
  assert.match(why?.detail ?? '', /it stays cordoned, since our cordon could not be lifted: .*police\.nodes\.example/)
  assert.match(why?.hint ?? '', `uncordon ${node}`)
  assert.equal(await lab.cordoned(), [node])
  await kubectl(['delete', 'validatingwebhookconfiguration/police'])
  const last = await runUpgrade(lab, { flags, operations })
  assertEnding(last, [node], { code: 0, verdicts: ['unchanged'], reasons: [] })
  assert.equal(await lab.cordoned(), [])
  assert.equal(lab.check(), [])
})

/** Asked about every change of a Node, and nobody answers for it. */
const deadWebhook = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'police' },
  webhooks: [
    {
      name: 'police.nodes.example',
      clientConfig: { url: 'https://127.0.0.1:1/' },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['nodes'] }],
      failurePolicy: 'Fail',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ],
}

const controlPlanes = suite('a control plane that is not well')

controlPlanes('is upgraded, unwell as before; the next one does not go down until it is well', () =>
  withLab({ target: 'v1.13.9', speed: 100 }, async (three) => {
    const names = Object.keys(three.addresses)
    const [first = ''] = names
    await three.fault({ name: 'returns-not-ready', node: first })
    const from = three.log().length
    await three.talosctl(['-n', three.addresses[first] ?? '', 'reboot', '--wait=false'])
    await three.logged((event) => event.type === 'machine.running' && event.node === first, { from })
    // nobody looks at etcd for a reboot by hand
    const byPeople = three.check()
    const run = await runUpgrade(three)
    assertEnding(run, names, {
      code: 77,
      verdicts: ['upgraded', 'installed-not-rebooted', 'installed-not-rebooted'],
      reasons: ['control-plane-not-ready'],
    })
    const started = run.events.find((event) => event.type === 'run.started')
    assert.match(started?.plan.notes.join('\n') ?? '', `${first} is unwell now, which is not waited for afterwards`)
    const text = run.events.flatMap((event) =>
      event.type === 'verdict' && event.node === first ? [verdictText(event.verdict, event.evidence)] : [],
    )
    assert.equal(text, ['upgraded, unwell as before'])
    await three.cure()
    await untilWell(three)
    const last = await runUpgrade(three)
    assertEnding(last, names, { code: 0, verdicts: ['unchanged', 'upgraded', 'upgraded'], reasons: [] })
    assert.equal(
      changesOf(three.log())
        .filter((change) => change !== `reboot ${first}`)
        .sort(),
      [...names.map((name) => `install ${name}`), ...names.slice(1).map((name) => `reboot ${name}`)],
    )
    assert.equal(three.check(), byPeople)
  }),
)

test.run()
controlPlanes.run()
