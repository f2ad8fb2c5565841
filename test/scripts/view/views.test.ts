import { spawnSync } from 'node:child_process'
import { Chalk } from 'chalk'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseView, type ViewSurroundings } from '../../../scripts/view/choose.ts'
import { closingSummary } from '../../../scripts/view/closing-summary.ts'
import { durationText } from '../../../scripts/view/duration-text.ts'
import { createJsonView } from '../../../scripts/view/json.ts'
import { createLiveRows } from '../../../scripts/view/live-rows.ts'
import { paintFor } from '../../../scripts/view/paint.ts'
import { createPlainView } from '../../../scripts/view/plain.ts'
import { planText } from '../../../scripts/view/plan-text.ts'
import { createQuietView } from '../../../scripts/view/quiet.ts'
import { collectReport } from '../../../scripts/view/report.ts'
import type { View } from '../../../scripts/view/view.ts'
import type { RunEvent } from '../../../workflows/model/event.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { isGood, isUpgraded, VERDICTS, type Verdict } from '../../../workflows/model/verdict.ts'
import { aRun } from './a-run.ts'

const noPaint = new Chalk({ level: 0 })
const noon = () => new Date(2026, 10, 21, 12, 3, 7)

async function show(create: (write: (text: string) => void) => View, events = aRun): Promise<string[]> {
  let text = ''
  const view = create((more) => {
    text += more
  })
  for (const event of events) view.handle(event)
  await view.close()
  return text.split('\n').slice(0, -1)
}

test('names no target where nodes run afterwards what they ran', async () => {
  const events = aRun.flatMap((event): RunEvent[] => {
    if (event.type !== 'run.started') return []
    const { target: _, ...plan } = event.plan
    return [{ ...event, plan }]
  })
  const [first = ''] = await show((write) => createPlainView({ write, now: noon }), events)
  assert.match(first, /upgrade starts, run /)
})

test('prints once, whole and ready for a shell, what is missing in Kubernetes', async () => {
  const manifest = "kind: Role\nname: it's\n"
  const why = failure('kubernetes-forbidden', { detail: 'may not get leases', manifest })
  const failures = [why, { ...why, node: 'a' }]
  const end: RunEvent = { type: 'run.finished', run: 'r', exitCode: 69, verdicts: {}, failures, tookMs: 0 }
  const lines = await show((write) => createQuietView({ write }), [end])
  const from = lines.indexOf("kubectl apply -f - <<'EOF'")
  assert.equal(lines.slice(from), ["kubectl apply -f - <<'EOF'", 'kind: Role', "name: it's", 'EOF'])
  const shell = spawnSync('sh', [
    '-c',
    lines
      .slice(from)
      .join('\n')
      .replace(/^kubectl apply -f -/, 'cat'),
  ])
  assert.is(shell.stdout.toString(), manifest)
})

const person: ViewSurroundings = { output: 'auto', stderrIsTty: true, columns: 80, ci: false }
const choices: [behaviour: string, surroundings: Partial<ViewSurroundings>, view: string][] = [
  ['a person at a terminal', {}, 'listr'],
  ['a terminal of 60 columns', { columns: 60 }, 'listr'],
  ['a narrower terminal', { columns: 59 }, 'plain'],
  ['a pty that was never sized', { columns: 0 }, 'plain'],
  ['a pipe', { stderrIsTty: false, columns: undefined }, 'plain'],
  ['CI with a pty', { ci: true }, 'plain'],
  ['who wants plain', { output: 'plain' }, 'plain'],
  ['who wants JSON at a terminal', { output: 'json' }, 'json'],
  ['cron that wants silence', { output: 'quiet', stderrIsTty: false }, 'quiet'],
]
for (const [behaviour, surroundings, view] of choices)
  test(`shows ${view} to ${behaviour}`, () => assert.is(chooseView({ ...person, ...surroundings }), view))

test('writes one line an event, the node first', async () => {
  const lines = await show((write) => createPlainView({ write, now: noon }))
  assert.equal(lines, [
    '12:03:07 cluster took over the lock of a dead run',
    '12:03:07 cluster-7 upgrade to v1.13.9 starts, run run-1',
    '12:03:07 cluster-7 snapshot-etcd started',
    '12:03:07 cluster-7 snapshot-etcd finished 0.8s',
    '12:03:07 cp-1 pull-image started',
    '12:03:07 cp-2 pull-image started',
    '12:03:07 cp-1 pull-image finished 6.0s',
    '12:03:07 cp-2 pull-image finished 7.0s, was there already',
    '12:03:07 cp-1 reboot started',
    '12:03:07 cp-1 reboot waits for cp-1 to run with a new boot id: no answer',
    '12:03:07 cp-1 reboot finished 1m01s',
    '12:03:07 cp-2 reboot started',
    '12:03:07 cp-2 reboot failed after 15m00s: cp-2 did not answer within 15m (look at its console)',
    '12:03:07 cp-1 is upgraded',
    '12:03:07 cp-2 is unreachable',
    '12:03:07 cluster-7 ends with exit 1 after 16m15s',
  ])
})

test('does not flood a log while it waits', async () => {
  let seconds = 0
  const now = () => new Date(2026, 10, 21, 12, 0, seconds)
  const lines: string[] = []
  const view = createPlainView({ write: (line) => lines.push(line.trim()), now })
  const wait = (node: string, condition: string, last: string) =>
    view.handle({ type: 'waiting', node, step: 'rejoin', for: condition, last })
  for (seconds = 0; seconds < 61; seconds++) wait('cp-1', 'an answer', `look ${seconds}`)
  assert.equal(lines, [
    '12:00:00 cp-1 rejoin waits for an answer: look 0',
    '12:00:30 cp-1 rejoin waits for an answer: look 30',
    '12:01:00 cp-1 rejoin waits for an answer: look 60',
  ])
  wait('cp-1', 'etcd to catch up', '412 behind')
  wait('cp-2', 'an answer', 'none')
  assert.equal(lines.slice(3), [
    '12:01:01 cp-1 rejoin waits for etcd to catch up: 412 behind',
    '12:01:01 cp-2 rejoin waits for an answer: none',
  ])
})

test('hands the events on as NDJSON, with version and time', async () => {
  const lines = await show((write) => createJsonView({ write, now: () => new Date(0) }))
  const read = lines.map((line) => JSON.parse(line))
  assert.is(read.length, aRun.length)
  for (const [i, { v, at, ...event }] of read.entries()) {
    assert.is(v, 1)
    assert.is(at, '1970-01-01T00:00:00.000Z')
    assert.equal(event, JSON.parse(JSON.stringify(aRun[i])))
  }
})

test('keeps silent when all is well, else says what failed and what to type', async () => {
  assert.equal(await show((write) => createQuietView({ write })), [
    'cp-2 did not answer within 15m (look at its console)',
    'Next: node --import tsx workflows/upgrade.ts --cluster 7',
  ])
  const well = aRun.map((event): RunEvent => (event.type === 'run.finished' ? { ...event, exitCode: 0 } : event))
  assert.equal(await show((write) => createQuietView({ write }), well), [])
})

test('keeps secrets out of every view', async () => {
  const events: RunEvent[] = [
    { type: 'notice', text: 'token: canary.0123456789abcdef' },
    {
      type: 'run.finished',
      run: 'run-1',
      exitCode: 1,
      verdicts: {},
      failures: [{ reason: 'bug', detail: 'token: canary.0123456789abcdef' }],
      tookMs: 0,
    },
  ]
  const views = [
    (write: (text: string) => void) => createPlainView({ write, now: noon }),
    (write: (text: string) => void) => createJsonView({ write, now: noon }),
    (write: (text: string) => void) => createQuietView({ write }),
  ]
  for (const view of views) {
    const text = (await show(view, events)).join('\n')
    assert.not.match(text, /canary/)
    assert.match(text, /redacted/)
  }
})

test('closes with where every node stands, why, and what to type next', () => {
  const report = collectReport(noon)
  for (const event of aRun) report.handle(event)
  assert.equal(closingSummary(report.value(), noPaint).split('\n'), [
    '✔  cp-1  upgraded     v1.13.5 → v1.13.9, running and ready',
    '   pull-image 6.0s · reboot 1m01s',
    '✖  cp-2  unreachable  was v1.13.5',
    '   pull-image 7.0s · reboot 15m00s',
    '   cluster-7: snapshot-etcd 0.8s',
    '',
    '   cp-2 did not answer within 15m (look at its console)',
    '',
    '   took over the lock of a dead run',
    '',
    'cluster-7 upgrade ended after 16m15s, exit 1',
    'Next: node --import tsx workflows/upgrade.ts --cluster 7',
    '',
  ])
})

test('closes a run that never got to a plan with its failures', () => {
  const report = collectReport(noon)
  report.handle({
    type: 'run.finished',
    run: 'run-1',
    exitCode: 75,
    verdicts: {},
    failures: [{ reason: 'locked', detail: 'run-0 on laptop holds cluster-7' }],
    tookMs: 5,
  })
  assert.is(closingSummary(report.value(), noPaint), '   run-0 on laptop holds cluster-7\n')
})

test('tells of a version that waits in the other slot', () => {
  const report = collectReport(noon)
  const waiting = { image: 'factory.talos.dev/metal-installer/abc:v1.13.9', since: '2026-11-21T11:58:00' }
  const evidence = { version: 'v1.13.5', versionBefore: 'v1.13.5', stage: 'running', ready: true, waiting }
  report.handle({ type: 'verdict', node: 'cp-1', verdict: 'installed-not-rebooted', evidence })
  assert.is(
    closingSummary(report.value(), noPaint),
    '✖  cp-1  installed-not-rebooted  v1.13.5, running and ready, v1.13.9 waits since 11:58 for the next reboot\n',
  )
})

for (const verdict of Object.keys(VERDICTS) as Verdict[])
  test(`a node that is ${verdict} looks ${isGood(verdict) ? 'well' : 'unwell'} in every view`, async () => {
    const event: RunEvent = { type: 'verdict', node: 'cp-1', verdict, evidence: { version: 'v1.13.9' } }
    const report = collectReport(noon)
    report.handle(event)
    assert.is(closingSummary(report.value(), noPaint)[0], isGood(verdict) ? '✔' : '✖')
    const live = createLiveRows()
    for (const one of [...aRun.slice(0, 2), event]) live.handle(one, 0)
    assert.is(live.rows().find(({ name }) => name === 'cp-1')?.state, isGood(verdict) ? 'done' : 'failed')
    const [line = ''] = await show((write) => createPlainView({ write, now: noon }), [event])
    // what runs the target is called upgraded, whoever rebooted it
    assert.is(line.includes('is upgraded'), isUpgraded(verdict), line)
  })

test('prints the plan in its order, with the steps and the notes', () => {
  const started = aRun.find((event) => event.type === 'run.started')
  if (started?.type !== 'run.started') return assert.unreachable()
  assert.equal(planText(started.plan, 'cluster-7', noPaint).split('\n'), [
    'upgrade cluster-7 to v1.13.9',
    '',
    '  node  role          work     why',
    '  cp-1  controlplane  upgrade  v1.13.5 to v1.13.9',
    '  cp-2  controlplane  upgrade  v1.13.5 to v1.13.9',
    '',
    '  each: pull-image → reboot',
    '',
    '  cp-2 is not ready now',
    '',
  ])
})

const durations: [number, string][] = [
  [-5, '0.0s'],
  [412, '0.4s'],
  [9_960, '10s'],
  [10_400, '10s'],
  [59_600, '1m00s'],
  [3_599_600, '1h00m'],
  [3_900_000, '1h05m'],
]
for (const [ms, text] of durations) test(`says ${ms} ms as ${text}`, () => assert.is(durationText(ms), text))

test('colours nothing that is piped, nor where NO_COLOR is set', () => {
  assert.is(paintFor({ isTTY: false }, {}).level, 0)
  assert.is(paintFor({}, {}).level, 0)
  assert.is(paintFor({ isTTY: true }, { NO_COLOR: '1' }).level, 0)
  assert.is(paintFor({ isTTY: true }, { TERM: 'dumb' }).level, 0)
  assert.is(paintFor({ isTTY: true }, { TERM: 'xterm' }).level, 1)
})

test.run()
