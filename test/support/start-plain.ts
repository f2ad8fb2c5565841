/**
 * Loaded by each node that a test starts: what would run by tsx runs from the JavaScript that plain-javascript.ts wrote, with
 * the same arguments. Whatever is started in another way is left alone.
 */
import { existsSync } from 'node:fs'
import Module from 'node:module'
import { join, relative } from 'node:path'

const sources = process.env.SOURCES ?? ''
const folder = process.env.JAVASCRIPT ?? ''
const [, main = ''] = process.argv
const file = join(folder, relative(sources, main).replace(/\.ts$/, '.js'))

if (process.execArgv.join(' ') === '--import tsx' && main.endsWith('.ts') && existsSync(file)) {
  // what node does itself when the file that it was started with waits for what never comes
  const isStuck = () => {
    process.exitCode ??= 13
  }
  Module.runMain = () => {
    process.once('exit', isStuck)
    void import(file).then(() => process.off('exit', isStuck))
  }
}
