/**
 * Loaded by each node that a test starts: what would run by tsx runs from the JavaScript that plain-javascript.ts wrote, with
 * the same arguments. Whatever is started in another way is left alone.
 */
import { existsSync } from 'node:fs'
import Module from 'node:module'
import { join, relative } from 'node:path'

const sources = process.env.SOURCES ?? ''
const folder = process.env.JAVASCRIPT ?? ''
const plainOf = (file: string): string => join(folder, relative(sources, file).replace(/\.ts$/, '.js'))

const [, main = ''] = process.argv
const [tsx, ...before] = process.execArgv.join(' ').split('--import ').slice(1)
const files = [...before, main].map((file) => file.trim())

if (tsx?.trim() === 'tsx' && files.every((file) => file.endsWith('.ts') && existsSync(plainOf(file)))) {
  // what node does itself when the file that it was started with waits for what never comes
  const isStuck = () => {
    process.exitCode ??= 13
  }
  const run = async () => {
    for (const file of files) await import(plainOf(file))
    process.off('exit', isStuck)
  }
  Module.runMain = () => {
    process.once('exit', isStuck)
    void run()
  }
}
