import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { union } from 'valibot'
import { eventLine } from '../../../scripts/view/event-line.ts'
import { planEvent, runEvent } from '../../../workflows/model/event.ts'
import { VERB_NAMES } from '../../../workflows/model/verb-name.ts'
import { aRun } from '../../scripts/view/a-run.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'
import { golden } from '../../support/golden.ts'
import { verbs } from '../../support/verbs.ts'

const published = join(import.meta.dirname, '../../../workflows/model/event.schema.json')

test('the published JSON Schema is the union that events are of', () => {
  const schema = {
    title: 'a line that a run of talos-workflows prints with --output json',
    description: 'Members, fields and values are added by later versions; none changes its meaning as long as v is 1.',
    ...toJsonSchema(union([...runEvent.options, planEvent]), { target: 'draft-2020-12' }),
    properties: { v: { const: 1 }, at: { type: 'string', format: 'date-time' }, type: { type: 'string' } },
    required: ['v', 'at', 'type'],
  }
  golden(published, `${JSON.stringify(schema, null, 2)}\n`)
})

const ajv = new Ajv2020({ strict: false, validateFormats: false })
let validate: ReturnType<typeof ajv.compile> | undefined

/** What the published schema has against a line. */
function objections(line: string): string {
  validate ??= ajv.compile(JSON.parse(readFileSync(published, 'utf8')))
  return validate(JSON.parse(line)) ? '' : ajv.errorsText(validate.errors)
}

/** Holds a line against the schema, and says of which member it is. */
function memberOf(line: string): string {
  assert.is(objections(line), '', line)
  return JSON.parse(line).type
}

const lineOf = (event: object): string => eventLine(event, new Date())

test('an event of each member fits', () => {
  const members = runEvent.options.map(({ entries }) => entries.type.literal)
  assert.equal(new Set(aRun.map(lineOf).map(memberOf)), new Set(members))
  const [plan] = aRun.flatMap((event) => (event.type === 'run.started' ? [event.plan] : []))
  assert.is(memberOf(lineOf({ type: 'plan', plan })), 'plan')
})

for (const verb of verbs)
  test(`all that runs say that ${verb}, are killed, carried on and refused fits`, async () => {
    const fake = fakeCluster(['a', 'b', 'c'], { etcdMs: 50 })
    const checkout = checkoutOf(fake)
    const says = async (diesIn?: string) => {
      const dies =
        diesIn === undefined ? undefined : (record: { type: string; path?: string }) => record.path === diesIn
      const { events } = await checkout.type(dies, { verb, output: 'json' })
      for (const event of events) memberOf(JSON.stringify(event))
      return new Set(events.map(({ type }) => type))
    }
    assert.ok((await says('b/turn/reboot')).has('run.started'))
    assert.ok((await says()).has('verdict'))
    for (const node of fake.nodes.values()) node.alarm = true
    assert.ok((await says()).has('run.finished'))
    checkout.remove()
  })

test('what is no event of ours does not fit', () => {
  const [first] = aRun
  for (const broken of [
    { ...first, type: 'rumour' },
    { ...first, text: 7 },
    { type: 'verdict', verdict: 'fine' },
  ])
    assert.is.not(objections(lineOf(broken)), '')
  assert.is.not(objections(JSON.stringify(first)), '', 'without v and at')
})

test('a verb has an entry and a planner of its name', () => assert.equal([...VERB_NAMES].sort(), [...verbs].sort()))

test.run()
