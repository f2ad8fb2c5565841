import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { comparePlaced, wouldChange } from '../../../../scripts/config/placing/compare-placed.ts'
import { type Disk, realDisk } from '../../../../scripts/config/placing/disk.ts'
import { finishPlacing } from '../../../../scripts/config/placing/finish-placing.ts'
import { place } from '../../../../scripts/config/placing/place.ts'
import { placedBefore } from '../../../../scripts/config/placing/placed-before.ts'
import type { Places } from '../../../../scripts/config/placing/places.ts'
import { inFull } from '../../../support/in-full.ts'
import { mortalDisk } from '../../../support/mortal-disk.ts'

type Files = Record<string, string>

const root = join(import.meta.dirname, '..', '..', '..', '..')
const remember = { caFingerprint: 'ca' }

function inFolder(body: (places: Places) => void): void {
  const outDir = mkdtempSync(join(tmpdir(), 'placing-'))
  try {
    writeFileSync(join(outDir, 'talenv.yaml'), 'declared')
    body({ outDir, stateDir: join(outDir, '.run') })
  } finally {
    rmSync(outDir, { recursive: true })
  }
}

const asGenerated = (files: Files) =>
  new Map(Object.entries(files).map(([name, text]): [string, Uint8Array] => [name, Buffer.from(text)]))

/** Compares and places, and says what kept it from that. */
function putInPlace(places: Places, files: Files, options: { discardEdits?: boolean; disk?: Disk } = {}): string[] {
  const compared = comparePlaced(places, asGenerated(files))
  if (!compared.ok) return compared.failure.map(({ reason }) => reason)
  const placed = place(places, asGenerated(files), compared.value, remember, { discardEdits: false, ...options })
  return placed.ok ? [] : placed.failure.map(({ reason, detail }) => `${reason}: ${detail}`)
}

function changes(places: Places, files: Files): string[] {
  const compared = comparePlaced(places, asGenerated(files))
  assert.ok(compared.ok)
  return compared.value.map(({ name, change, edited }) => [name, change, edited].filter(Boolean).join(' '))
}

/** What lies in the folder besides the declaration and `.run`. */
const inPlace = ({ outDir }: Places): Files =>
  Object.fromEntries(
    readdirSync(outDir, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.startsWith('.run') && name !== 'talenv.yaml' && statSync(join(outDir, name)).isFile())
      .map((name) => [name, readFileSync(join(outDir, name), 'utf8')]),
  )

/** Keys in any order. */
const sorted = (files: Files): Files => Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)))

const leftIn = ({ stateDir }: Places): string[] =>
  readdirSync(stateDir).filter((name) => name !== '.gitignore' && name !== 'placed.json')

const OLD: Files = {
  'c-a.yaml': 'a 1',
  'c-b.yaml': 'b 1',
  'c-gone.yaml': 'gone',
  'old/e.yaml': 'e',
  talosconfig: 'contexts: {}',
}
const NEW: Files = {
  'c-a.yaml': 'a 2',
  'c-b.yaml': 'b 1',
  'c-new.yaml': 'new',
  'sub/deeper/d.yaml': 'd',
  talosconfig: 'contexts: {a: {}}',
}

test('puts files in place that only their owner reads, prunes what is generated no more, and touches nothing else', () => {
  inFolder((places) => {
    writeFileSync(join(places.outDir, 'kubeconfig'), 'kept')
    assert.equal(putInPlace(places, OLD), [])
    assert.equal(changes(places, NEW), [
      'c-a.yaml replace',
      'c-b.yaml unchanged',
      'c-gone.yaml prune',
      'c-new.yaml create',
      'old/e.yaml prune',
      'sub/deeper/d.yaml create',
      'talosconfig replace',
    ])
    assert.equal(putInPlace(places, NEW), [])
    assert.equal(inPlace(places), sorted({ ...NEW, kubeconfig: 'kept' }))
    for (const name of Object.keys(NEW)) assert.is(statSync(join(places.outDir, name)).mode & 0o777, 0o600, name)
    assert.equal(leftIn(places), [])
    assert.equal(readFileSync(join(places.stateDir, '.gitignore'), 'utf8'), '*\n')
    const before = placedBefore(places)
    assert.ok(before.ok)
    assert.is(before.value?.caFingerprint, 'ca')
    assert.equal(Object.keys(before.value?.files ?? {}).sort(), Object.keys(NEW).sort())
  })
})

test('writes nothing where all is in place already', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    const disk = mortalDisk(1, false, () => {
      throw new Error('wrote')
    })
    assert.equal(putInPlace(places, OLD, { disk }), [])
    assert.equal(finishPlacing(places, { disk }), { ok: true, value: 'nothing' })
  })
})

test('remembers another CA even where no file changes', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    const compared = comparePlaced(places, asGenerated(OLD))
    assert.ok(compared.ok && !wouldChange(compared.value))
    place(places, asGenerated(OLD), compared.value, { caFingerprint: 'other' }, { discardEdits: false })
    const before = placedBefore(places)
    assert.ok(before.ok && before.value?.caFingerprint === 'other')
  })
})

test('refuses to replace or remove what somebody edited, unless the edits are to go', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    for (const name of ['c-a.yaml', 'c-gone.yaml']) writeFileSync(join(places.outDir, name), 'mine')
    writeFileSync(join(places.outDir, 'c-new.yaml'), 'not generated')
    const refused = putInPlace(places, NEW)
    assert.equal(
      refused.map((line) => line.replace(places.outDir, '')),
      [
        'output-edited: /c-a.yaml was edited by hand and would be replaced',
        'output-edited: /c-gone.yaml was edited by hand and would be removed',
        'output-edited: /c-new.yaml was not generated and would be replaced',
      ],
    )
    assert.equal(inPlace(places), { ...OLD, 'c-a.yaml': 'mine', 'c-gone.yaml': 'mine', 'c-new.yaml': 'not generated' })
    assert.equal(putInPlace(places, NEW, { discardEdits: true }), [])
    assert.equal(inPlace(places), NEW)
  })
})

test('takes an edit that says what is generated now for no edit', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    writeFileSync(join(places.outDir, 'c-a.yaml'), 'a 2')
    assert.equal(putInPlace(places, NEW), [])
  })
})

for (const name of ['talosconfig', 'clusterconfig/talosconfig']) {
  test(`takes another client certificate in ${name} for no edit, and another endpoint for one`, () => {
    inFolder((places) => {
      const config = (crt: string, endpoint: string) =>
        `contexts: {c: {crt: ${crt}, key: k${crt}, endpoints: [${endpoint}]}}`
      putInPlace(places, { [name]: config('one', '10.0.0.1') })
      writeFileSync(join(places.outDir, name), config('two', '10.0.0.1'))
      assert.equal(changes(places, { [name]: config('three', '10.0.0.1') }), [`${name} replace`])
      writeFileSync(join(places.outDir, name), config('two', '10.0.0.9'))
      assert.equal(changes(places, { [name]: config('three', '10.0.0.1') }), [`${name} replace edited`])
    })
  })
}

test('makes a file again that somebody removed, and closes one that others may read', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    rmSync(join(places.outDir, 'c-a.yaml'))
    chmodSync(join(places.outDir, 'c-b.yaml'), 0o644)
    assert.equal(changes(places, OLD).slice(0, 2), ['c-a.yaml create', 'c-b.yaml protect'])
    assert.equal(putInPlace(places, OLD), [])
    assert.is(statSync(join(places.outDir, 'c-b.yaml')).mode & 0o777, 0o600)
    assert.equal(inPlace(places), OLD)
  })
})

test('refuses links and folders where files belong', () => {
  inFolder((places) => {
    const elsewhere = join(places.outDir, 'talenv.yaml')
    symlinkSync(elsewhere, join(places.outDir, 'c-a.yaml'))
    mkdirSync(join(places.outDir, 'c-b.yaml'))
    symlinkSync(tmpdir(), join(places.outDir, 'sub'))
    assert.equal(putInPlace(places, NEW, { discardEdits: true }), Array(3).fill('output-obstructed'))
    assert.ok(lstatSync(join(places.outDir, 'c-a.yaml')).isSymbolicLink())
    assert.is(readFileSync(elsewhere, 'utf8'), 'declared')
  })
})

test('refuses when the folder is no longer what was compared', () => {
  inFolder((places) => {
    putInPlace(places, OLD)
    const compared = comparePlaced(places, asGenerated(NEW))
    assert.ok(compared.ok)
    writeFileSync(join(places.outDir, 'c-a.yaml'), 'meanwhile')
    const placed = place(places, asGenerated(NEW), compared.value, remember, { discardEdits: true })
    assert.ok(!placed.ok && placed.failure[0]?.reason === 'output-edited')
    assert.is(inPlace(places)['c-a.yaml'], 'meanwhile')
  })
})

test('leaves a staging folder alone whose process lives', () => {
  inFolder((places) => {
    let seen: unknown
    const disk: Disk = {
      ...realDisk,
      create(path, content) {
        seen ??= finishPlacing(places)
        realDisk.create(path, content)
      },
    }
    assert.equal(putInPlace(places, OLD, { disk }), [])
    assert.equal(seen, { ok: true, value: 'nothing' })
    assert.equal(inPlace(places), OLD)
  })
})

test('is not led out of the folder by what lies in .run', () => {
  inFolder((places) => {
    mkdirSync(places.stateDir)
    const placed = { v: 1, files: {}, caFingerprint: '' }
    const manifest = { v: 1, staging: 'staging.1.00000000', moves: [], removals: ['../victim'], placed }
    writeFileSync(join(places.stateDir, 'placing.json'), JSON.stringify(manifest))
    const finished = finishPlacing(places)
    assert.ok(!finished.ok && finished.failure.reason === 'output-unwritable')
    writeFileSync(join(places.stateDir, 'placed.json'), '{')
    assert.equal(putInPlace(places, OLD), ['output-unwritable'])
  })
})

/** The disk says no to the n-th operation and, until it is mended, to all that follow. */
function failingDisk(operations: number, once: boolean): Disk & { failed(): boolean } {
  let count = 0
  let failed = false
  const failing = <A extends unknown[]>(operation: (...args: A) => void) => {
    return (...args: A) => {
      count++
      if (once ? count === operations : count >= operations) {
        failed = true
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
      }
      operation(...args)
    }
  }
  const { makeFolder, create, sync, move, remove } = realDisk
  return {
    makeFolder: failing(makeFolder),
    create: failing(create),
    sync: failing(sync),
    move: failing(move),
    remove: failing(remove),
    failed: () => failed,
  }
}

for (const once of [true, false]) {
  test(`leaves one whole set when the disk refuses any operation${once ? '' : ' and all after it'}`, () => {
    const ends = new Set<string>()
    for (let operation = 1; ; operation++) {
      let over = false
      inFolder((places) => {
        putInPlace(places, OLD)
        const disk = failingDisk(operation, once)
        const failures = putInPlace(places, NEW, { disk })
        over = !disk.failed()
        if (!over) assert.match(failures.join(), /^output-(unwritable|unfinished): .* \(ENOSPC\)/)
        const finished = finishPlacing(places)
        assert.ok(finished.ok)
        const now = inPlace(places)
        ends.add('c-new.yaml' in now ? 'new' : 'old')
        assert.equal(now, 'c-new.yaml' in now ? NEW : OLD, `operation ${operation}`)
        assert.equal(putInPlace(places, NEW), [], `operation ${operation}`)
        assert.equal(inPlace(places), NEW)
        assert.equal(leftIn(places), [])
      })
      if (over) break
    }
    assert.equal([...ends].sort(), ['new', 'old'])
  })
}

/** Runs in a process of its own; true when that was killed. */
function die(
  places: Places,
  action: 'place' | 'finish',
  operations: number,
  torn: boolean,
  files: Files = {},
): boolean {
  const argv = ['--import', 'tsx', 'test/support/place-and-die.ts', places.outDir, action, String(operations)]
  const child = spawnSync(process.execPath, torn ? [...argv, 'torn'] : argv, {
    cwd: root,
    input: JSON.stringify(files),
    encoding: 'utf8',
  })
  if (child.signal === 'SIGKILL') return true
  assert.is(child.status, 0, child.stderr)
  return false
}

/** Finishes, and looks whether it is the old or the new set as a whole, and whether life goes on. */
function judge(places: Places, when: string): 'old' | 'new' {
  const finished = finishPlacing(places)
  assert.ok(finished.ok, when)
  const now = inPlace(places)
  const set = 'c-new.yaml' in now ? 'new' : 'old'
  assert.equal(now, set === 'new' ? NEW : OLD, when)
  assert.equal(leftIn(places), [], when)
  assert.equal(finishPlacing(places), { ok: true, value: 'nothing' }, when)
  assert.equal(
    changes(places, NEW).filter((change) => change.includes('edited') || change.includes('foreign')),
    [],
    when,
  )
  assert.equal(putInPlace(places, NEW), [], when)
  assert.equal(inPlace(places), NEW, when)
  return set
}

/** What placing NEW over OLD does to the disk, in order. */
const operations: string[] = []
inFolder((places) => {
  putInPlace(places, OLD)
  const disk = mortalDisk(Number.POSITIVE_INFINITY, false, () => process.exit(1))
  putInPlace(places, NEW, { disk })
  operations.push(...disk.operations)
})
/** In the small size a process is really killed after a few of them; the property at the end dies within this one. */
const step = inFull ? 1 : 7
const numbered = operations
  .map((operation, index): [number, string] => [index + 1, operation])
  .filter(([number]) => number % step === 0)

test('shows the old set or the new one after kill -9 after any operation, and in the middle of writing any file', () => {
  const sets = new Map<string, string[]>([
    ['whole', []],
    ['torn', []],
  ])
  for (const [number, operation] of numbered) {
    for (const how of operation.startsWith('create') ? ['whole', 'torn'] : ['whole']) {
      inFolder((places) => {
        putInPlace(places, OLD)
        const when = `${how}, at operation ${number}, ${operation}`
        assert.ok(die(places, 'place', number, how === 'torn', NEW), when)
        sets.get(how)?.push(judge(places, when))
      })
    }
  }
  for (const found of sets.values()) {
    assert.ok(!inFull || found.length > 5)
    assert.equal([...found].sort().reverse(), found, 'old until one moment, and new ever after')
    if (inFull) assert.equal(new Set(found).size, 2)
  }
  assert.equal(new Set(sets.get('whole')).size, 2)
})

test('shows the new set after kill -9 of what finishes a placing, and of that again', () => {
  const firstMove = operations.findIndex((operation) => /^move .*staging\./.test(operation)) + 1
  assert.ok(firstMove > 10)
  for (let operation = step; ; operation += step) {
    let killed = false
    inFolder((places) => {
      putInPlace(places, OLD)
      const dead = mortalDisk(firstMove, false, () => {
        throw new Error('dead')
      })
      assert.throws(() => putInPlace(places, NEW, { disk: dead }), /dead/)
      assert.ok(existsSync(join(places.stateDir, 'placing.json')))
      killed = die(places, 'finish', operation, false)
      if (operation % 7 === 0) die(places, 'finish', 2, false)
      assert.is(judge(places, `settling killed at operation ${operation}`), 'new')
    })
    if (!killed) break
    assert.ok(operation < 50)
  }
})

test('shows one whole set whatever the sets are and whenever it dies', () => {
  const files = fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'x/d', 'x/y/e', 'talosconfig'),
    fc.constantFrom('', '1', '2'),
  )
  fc.assert(
    fc.property(files, files, fc.nat(60), fc.boolean(), fc.nat(30), (old, made, dies, torn, diesAgain) => {
      inFolder((places) => {
        const dead = () => {
          throw new Error('dead')
        }
        const attempt = (work: () => void) => {
          try {
            work()
          } catch (error) {
            assert.is((error as Error).message, 'dead')
          }
        }
        assert.equal(putInPlace(places, old), [])
        attempt(() => putInPlace(places, made, { disk: mortalDisk(dies + 1, torn, dead) }))
        attempt(() => finishPlacing(places, { disk: mortalDisk(diesAgain + 1, torn, dead) }))
        assert.ok(finishPlacing(places).ok)
        const [was, is, now] = [old, made, inPlace(places)].map((set) => JSON.stringify(sorted(set)))
        assert.ok(now === was || now === is, `${was} → ${is}, but found ${now}`)
        assert.equal(putInPlace(places, made), [])
        assert.equal(inPlace(places), sorted(made))
      })
    }),
    { numRuns: 300 },
  )
})

test.run()
