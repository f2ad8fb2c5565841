import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { talenvSchema } from '../../../../workflows/model/declaration/talenv.ts'
import { golden } from '../../../support/golden.ts'

const root = join(import.meta.dirname, '../../../..')
const published = join(root, 'workflows/model/talenv.schema.json')

test('the published JSON Schema is the one that talenv.yaml is held against', () => {
  const schema = {
    title: 'talenv.yaml of talos-workflows',
    // maps are more to us than JSON Schema can say; addresses and versions are told by our own messages
    ...toJsonSchema(talenvSchema, { typeMode: 'input', target: 'draft-2020-12', errorMode: 'ignore' }),
  }
  golden(published, `${JSON.stringify(schema, null, 2)}\n`)
})

test('the published JSON Schema takes the example and refuses what is mistyped in it', () => {
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(published, 'utf8')))
  const example = () => parse(readFileSync(join(root, 'clusters/cluster-101/talenv.yaml'), 'utf8'))
  assert.ok(validate(example()), JSON.stringify(validate.errors))
  const broken = example()
  broken.nodes[0].controlPlane = 'yes'
  delete broken.nodes[1].hostname
  assert.not.ok(validate(broken))
})

test.run()
