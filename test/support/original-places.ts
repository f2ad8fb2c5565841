import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, join } from 'node:path'

/** The same text with places in JavaScript that was written from our sources as places in those. */
export const originalPlaces = (text: string): string =>
  text.replace(/(?:file:\/\/)?(\/[^\s():]+\.js):(\d+):(\d+)/g, (place, path: string, line: string, column: string) => {
    if (!existsSync(`${path}.map`)) return place
    const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')))
    const found = map.findEntry(Number(line) - 1, Number(column) - 1)
    if (!('originalSource' in found)) return place
    return `${join(dirname(path), found.originalSource)}:${found.originalLine + 1}:${found.originalColumn + 1}`
  })
