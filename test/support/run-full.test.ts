import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FullWishes, runFull } from './run-full.ts'

/** A checkout with tiny test files; each writes its name into `ran` beside it. */
type Checkout = {
  root: string
  write(file: string, body?: string, firstLines?: string): void
  commit(): void
  /** what a run said, the files that it started, and its counts */
  full(
    wishes?: Partial<FullWishes>,
    signal?: AbortSignal,
  ): Promise<{ said: string[]; ran: string[]; counts: { passed: number; failed: number } }>
}

const test = suite<{ checkout: Checkout }>('run-full')
const uvu = `import { test } from ${JSON.stringify(import.meta.resolve('uvu'))}`

test.before.each((context) => {
  context.checkout = checkoutIn(mkdtempSync(join(tmpdir(), 'run-full-')))
})
test.after.each(({ checkout: { root } }) => rmSync(dirname(root), { recursive: true, force: true }))

function checkoutIn(folder: string): Checkout {
  const root = join(folder, 'checkout')
  const ran = join(folder, 'ran')
  const git = (...argv: string[]) => {
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
    const { status, stderr } = spawnSync('git', [...who, ...argv], { cwd: root, encoding: 'utf8' })
    assert.is(status, 0, stderr)
  }
  mkdirSync(join(root, 'test'), { recursive: true })
  git('init', '-q')
  const write: Checkout['write'] = (file, body = '', firstLines = '') => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    const lines = [
      firstLines,
      uvu,
      `import { appendFileSync } from 'node:fs'`,
      `test('one', () => { appendFileSync(${JSON.stringify(ran)}, ${JSON.stringify(`${file}\n`)}); ${body} })`,
      'test.run()',
    ]
    writeFileSync(join(root, file), lines.filter((line) => line !== '').join('\n'))
  }
  return {
    root,
    write,
    commit() {
      git('add', '--all')
      git('commit', '-q', '--allow-empty', '-m', 'x')
    },
    async full(wishes = {}, signal = new AbortController().signal) {
      const said: string[] = []
      writeFileSync(ran, '')
      const counts = await runFull(
        { words: [], ...wishes },
        {
          root,
          folder: join(folder, 'kept'),
          environment: () => Promise.resolve(process.env),
          signal,
          say: (line) => said.push(line),
        },
      )
      return { said, ran: readFileSync(ran, 'utf8').split('\n').slice(0, -1).sort(), counts }
    },
  }
}

const times = (checkout: Checkout, full: Record<string, number>): void =>
  writeFileSync(join(checkout.root, 'test/times.json'), JSON.stringify({ quick: {}, full }))

test('runs what npm test leaves over: files that say full, and files in two sizes in the larger one', async ({
  checkout,
}) => {
  checkout.write('test/quick.test.ts')
  checkout.write('test/a/slow.full.test.ts')
  checkout.write('test/lab.lab.full.test.ts')
  checkout.write('test/a/in-full.ts')
  const larger = `if (process.env.TIER !== 'full') throw new Error('small')`
  checkout.write('test/sizes.test.ts', larger, `import { inFull } from './a/in-full.ts'`)
  writeFileSync(join(checkout.root, 'test/a/in-full.ts'), 'export const inFull = true')
  checkout.commit()
  const { ran, counts } = await checkout.full()
  assert.equal(ran, ['test/a/slow.full.test.ts', 'test/lab.lab.full.test.ts', 'test/sizes.test.ts'])
  assert.equal(counts, { passed: 3, failed: 0 })
})

test('keeps each result for as long as the tree is the same, and says of one that it was kept', async ({
  checkout,
}) => {
  checkout.write('test/a.full.test.ts')
  checkout.write('test/b.full.test.ts')
  checkout.commit()
  assert.equal((await checkout.full({ words: ['a.full'] })).counts, { passed: 1, failed: 0 })
  const second = await checkout.full()
  assert.equal(second.ran, ['test/b.full.test.ts'])
  assert.equal(second.counts, { passed: 2, failed: 0 })
  assert.ok(second.said.some((line) => /test\/a\.full\.test\.ts \(1 passed\), kept from an earlier run/.test(line)))
  assert.equal((await checkout.full()).ran, [])
  assert.equal((await checkout.full({ anew: true })).ran, ['test/a.full.test.ts', 'test/b.full.test.ts'])
  // neither committed nor tracked
  writeFileSync(join(checkout.root, 'new.ts'), 'export const x = 1')
  assert.equal((await checkout.full()).ran, ['test/a.full.test.ts', 'test/b.full.test.ts'])
  rmSync(join(checkout.root, 'new.ts'))
  assert.equal((await checkout.full()).ran, [], 'the tree before is back')
})

test('a failure that is kept fails every run of that tree, with all that the file said', async ({ checkout }) => {
  checkout.write('test/a.full.test.ts', `throw new Error('it does not hold')`)
  checkout.write('test/b.full.test.ts')
  checkout.commit()
  assert.equal((await checkout.full()).counts, { passed: 1, failed: 1 })
  const { said, ran, counts } = await checkout.full()
  assert.equal(ran, [])
  assert.equal(counts, { passed: 1, failed: 1 })
  assert.match(said.join('\n'), /FAIL .*a\.full\.test\.ts .*kept[\s\S]*it does not hold/)
})

test('keeps nothing that was interrupted, or run while somebody changed the tree', async ({ checkout }) => {
  const changed = JSON.stringify(join(checkout.root, 'changed.ts'))
  checkout.write('test/a.full.test.ts', `appendFileSync(${changed}, 'x')`)
  checkout.commit()
  assert.is((await checkout.full()).counts.passed, 1)
  rmSync(join(checkout.root, 'changed.ts'))
  assert.equal((await checkout.full()).ran, ['test/a.full.test.ts'])
  rmSync(join(checkout.root, 'changed.ts'))
  const stop = new AbortController()
  stop.abort()
  assert.equal((await checkout.full({}, stop.signal)).counts, { passed: 0, failed: 1 })
  assert.equal((await checkout.full()).ran, ['test/a.full.test.ts'])
})

test('is cut into shares of ten minutes, which come round one a commit and are all of it', async ({ checkout }) => {
  const seconds = { a: 500, b: 500, c: 400, d: 90, e: 90, f: 700 }
  const files = Object.keys(seconds).map((name) => `test/${name}.full.test.ts`)
  for (const file of files) checkout.write(file)
  times(checkout, Object.fromEntries(Object.values(seconds).map((own, index) => [files[index], own])))
  checkout.commit()
  const shares: string[][] = []
  for (let turn = 0; turn < 3; turn += 1) {
    const { said, ran } = await checkout.full({ share: 'auto' })
    assert.match(said[0] ?? '', new RegExp(`^share ${((turn + 1) % 3) + 1} of 3: ${ran.length} files`))
    shares.push(ran)
    checkout.commit()
  }
  assert.equal(shares.flat().sort(), files)
  const names = shares.map((ran) => ran.map((file) => file.charAt('test/'.length)).join('')).sort()
  assert.equal(names, ['abde', 'c', 'f'])
  assert.match((await checkout.full({ share: '1/3' })).said[0] ?? '', /^share 1 of 3/)
})

test('refuses a share of another number, and words that no file has in its path', async ({ checkout }) => {
  checkout.write('test/a.full.test.ts')
  checkout.commit()
  const share = await checkout.full({ share: '2/1' })
  assert.equal(share.said, ['--share is auto, or one of 1/1 to 1/1, and not 2/1'])
  assert.equal(share.counts, { passed: 0, failed: 1 })
  assert.equal((await checkout.full({ words: ['nowhere'] })).counts, { passed: 0, failed: 1 })
})

test('writes down how long files took, and forgets those that are gone', async ({ checkout }) => {
  checkout.write('test/a.full.test.ts')
  times(checkout, { 'test/gone.full.test.ts': 5 })
  checkout.commit()
  await checkout.full({ writesTimes: true })
  const { full } = JSON.parse(readFileSync(join(checkout.root, 'test/times.json'), 'utf8'))
  assert.equal(Object.keys(full), ['test/a.full.test.ts'])
})

test.run()
