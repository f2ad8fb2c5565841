import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkKubeconfig } from '../../../scripts/cluster/check-kubeconfig.ts'
import { isTypable } from '../../support/is-typable.ts'

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig '))
const file = join(folder, 'k')
test.after(() => rmSync(folder, { recursive: true }))

const whole = (more: object) => ({
  'current-context': 'a',
  contexts: [{ name: 'a', context: { cluster: 'c', user: 'u' } }],
  clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443' } }],
  users: [{ name: 'u', user: { token: 'XXXXXXXX' } }],
  ...more,
})

const rows: [what: string, content: string | Buffer | object, says: string | undefined][] = [
  ['a whole one', whole({}), undefined],
  ['one without a user, as of kubectl proxy', whole({ users: undefined }), undefined],
  [
    'one in which a key stands twice, which kubectl takes',
    `${JSON.stringify(whole({})).slice(0, -1)},"kind":"Config","kind":"Config"}`,
    undefined,
  ],
  ['nothing', '', 'is no kubeconfig'],
  ['text', 'token: XXXXXXXX: no', 'is no kubeconfig'],
  ['a list', '[1,2]', 'has no current context'],
  ['another map', 'hello: world', 'has no current context'],
  ['bytes', Buffer.from([0xff, 0xfe, 0, 1]), ':1:1: this is no text in UTF-8'],
  [
    'one that was never filled',
    whole({ 'current-context': '', contexts: [], clusters: null }),
    'has no current context',
  ],
  ['one whose context was renamed', whole({ 'current-context': 'b' }), 'has no context "b"'],
  ['one whose cluster is gone', whole({ clusters: [] }), 'names no server in its context "a"'],
  ['one whose cluster is empty', whole({ clusters: [{ name: 'c' }] }), 'names no server in its context "a"'],
]

for (const [what, content, says] of rows)
  test(`${what} ${says === undefined ? 'is a kubeconfig' : `is told: ${says}`}`, () => {
    writeFileSync(file, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content))
    const { reason, detail, hint = '' } = checkKubeconfig(file) ?? {}
    assert.is(detail?.replace(file, '').trim(), says)
    assert.is(reason, says && 'kubeconfig-unusable')
    assert.ok(says === undefined || isTypable(hint), hint)
    assert.not.match(`${detail}${hint}`, 'XXXX')
  })

test.run()
