import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Call } from '../../../scripts/cli/command.ts'
import { crew } from '../../../scripts/cli/compose-crew.ts'
import { afterRun } from '../../../scripts/engine/after-run.ts'
import { carryOut } from '../../../scripts/engine/carry-out.ts'
import type { Report } from '../../../scripts/view/report.ts'
import { upgrade } from '../../../workflows/plan/upgrade.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf, type Fake } from '../../support/fake-command.ts'

const test = suite<{ folder: string }>('the command after a run')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'after-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const write = (text: string) => void process.stderr.write(text)

/** What was written to stderr meanwhile. */
async function onStderr(body: () => Promise<unknown>): Promise<string> {
  const before = process.stderr.write
  let said = ''
  process.stderr.write = (text: string | Uint8Array) => {
    said += String(text)
    return true
  }
  try {
    await body()
    return said
  } finally {
    process.stderr.write = before
  }
}

test('gets the report on its standard input, and what it says goes to stderr without what is secret', async ({
  folder,
}) => {
  const key = `AGE-SECRET-KEY-${'1'.repeat(58)}`
  const said = await onStderr(() =>
    afterRun(`cat > told; echo ${key}; echo two >&2`, '{"exitCode":1}\n', { cwd: folder, write }),
  )
  assert.is(readFileSync(join(folder, 'told'), 'utf8'), '{"exitCode":1}\n')
  assert.equal(said.split('\n').sort(), ['', '(redacted)', 'two'])
})

test('sees none of the tokens and keys that happen to be exported', async ({ folder }) => {
  process.env.SOPS_AGE_KEY = 'canary'
  process.env.GITHUB_TOKEN = 'canary'
  try {
    await afterRun('env > told', '', { cwd: folder, write })
  } finally {
    delete process.env.SOPS_AGE_KEY
    delete process.env.GITHUB_TOKEN
  }
  assert.match(readFileSync(join(folder, 'told'), 'utf8'), /^PATH=/m)
  assert.not.match(readFileSync(join(folder, 'told'), 'utf8'), 'canary')
})

for (const [title, command, why] of [
  ['fails', 'exit 7', 'ended with 7'],
  ['is not there', 'no-such-program 2>/dev/null', 'ended with 127'],
  ['hangs', 'sleep 1000', 'did not end within 0.3 s'],
  ['hangs and ends for nobody', "trap '' TERM; while :; do sleep 1; done", 'did not end within 0.3 s'],
  ['reads nothing of a long report', 'exit 3', 'ended with 3'],
] as const)
  test(`one that ${title} is a warning`, async ({ folder }) => {
    const said = await onStderr(() => afterRun(command, 'x'.repeat(200_000), { cwd: folder, write, deadlineMs: 300 }))
    assert.is(
      said,
      `Warning: the command \`after\` of operations.yaml ${why}; how the run ended stays as it was told\n`,
    )
  })

for (const [title, command, said] of [
  ['says nothing more', '(sleep 30 &); echo hi', 'hi\n'],
  ['goes on to talk', '(while :; do echo more >&2; sleep 0.01; done) & printf hi', /^(more\n|hi\n)+$/],
  ['said much before', `(sleep 30 &); seq 20000`, /\n19999\n20000\n$/],
] as const)
  test(`one that leaves a child behind, which ${title}, has ended when it has`, async ({ folder }) => {
    const heard = await onStderr(() => afterRun(`echo $$ > pid; ${command}`, '{}', { cwd: folder, write }))
    const group = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    try {
      assert.match(heard, said)
    } finally {
      process.kill(-group, 'SIGKILL')
    }
  })

const NAMES = ['a', 'b', 'c']

function telling(fake: Fake, after = 'cat > told') {
  Object.assign(fake.cluster.operations, { after })
  const checkout = checkoutOf(fake)
  const file = join(dirname(checkout.runs), 'told')
  return {
    checkout,
    /** what was told since the last time */
    told(): Report | undefined {
      const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : undefined
      rmSync(file, { force: true })
      return report
    },
  }
}

test('a run that did its work is told of, and the next one, which finds nothing to do, is not', async () => {
  const { checkout, told } = telling(fakeCluster(NAMES))
  assert.is((await checkout.type()).exitCode, 0)
  const report = told()
  assert.equal([report?.command, report?.cluster, report?.exitCode], ['upgrade', 'cluster-7', 0])
  assert.equal(
    Object.values(report?.verdicts ?? {}).map(({ verdict }) => verdict),
    ['upgraded', 'upgraded', 'upgraded'],
  )
  assert.is((await checkout.type()).exitCode, 0)
  assert.is(told(), undefined)
  checkout.remove()
})

test('a run that is refused is told of, with the reason', async () => {
  const fake = fakeCluster(NAMES)
  Object.assign(fake.nodes.get('b') ?? {}, { alarm: true })
  const { checkout, told } = telling(fake)
  assert.is((await checkout.type()).exitCode, 77)
  const report = told()
  assert.equal([report?.cluster, report?.exitCode, report?.failures[0]?.reason], ['cluster-7', 77, 'etcd-alarm'])
  checkout.remove()
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  test(`a run that ${signal} ends is told of, with the command that goes on`, async () => {
    const fake = fakeCluster(NAMES)
    const { connect } = fake
    fake.connect = (isDead) => {
      const talos = connect(isDead)
      return {
        ...talos,
        pull(...given) {
          process.emit(signal)
          return talos.pull(...given)
        },
      }
    }
    const { checkout, told } = telling(fake)
    assert.is((await checkout.type()).exitCode, code)
    const report = told()
    assert.equal([report?.exitCode, report?.next], [code, 'the same command'])
    checkout.remove()
  })

test('a run that the program itself spoils is told of', async () => {
  const fake = fakeCluster(NAMES)
  const { connect } = fake
  fake.connect = (isDead) => ({
    ...connect(isDead),
    observeNodes: () => Promise.reject(new Error('the moon is full')),
  })
  const { checkout, told } = telling(fake)
  assert.is((await checkout.type()).exitCode, 1)
  assert.is(told()?.failures[0]?.reason, 'bug')
  checkout.remove()
})

test('no failure of the command changes how the run ends', async () => {
  for (const [alarm, code] of [
    [false, 0],
    [true, 77],
  ] as const) {
    const fake = fakeCluster(NAMES)
    Object.assign(fake.nodes.get('b') ?? {}, { alarm })
    const { checkout } = telling(fake, 'exit 1')
    assert.is((await checkout.type()).exitCode, code)
    checkout.remove()
  }
})

test('a run that could not even begin is told of, and a dry run is not', async ({ folder }) => {
  const { cluster } = fakeCluster(NAMES)
  Object.assign(cluster.operations, { after: 'cat > told' })
  const layout = {
    root: folder,
    folder,
    generated: '',
    talosconfig: join(folder, 'talosconfig'),
    kubeconfig: join(folder, 'kubeconfig'),
  }
  const typed = (dryRun: boolean) =>
    carryOut(
      async () => crew,
      upgrade,
      { command: 'upgrade', cluster, layout, again: '', common: { dryRun, output: 'plain' } } as unknown as Call,
      {
        to: 'v1.13.9',
      } as never,
    )
  await onStderr(async () => {
    assert.is(await typed(true), 69)
    assert.not.ok(existsSync(join(folder, 'told')))
    assert.is(await typed(false), 69)
  })
  const { failures, cluster: name, exitCode } = JSON.parse(readFileSync(join(folder, 'told'), 'utf8')) as Report
  assert.equal([name, exitCode, failures.at(-1)?.reason], ['cluster-7', 69, 'talosconfig-missing'])
})

test.run()
