import { gzipSync } from 'node:zlib'

const block = 512

/** A gzipped tar archive with one file in it, mode 0600. */
export function tarball(name: string, text: string): Buffer {
  const content = Buffer.from(text)
  const header = Buffer.alloc(block)
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0')
  header.write(name, 0)
  header.write(octal(0o600, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(content.length, 12), 124)
  header.write(octal(Math.floor(Date.now() / 1000), 12), 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 7)}\0 `, 148)
  const padding = Buffer.alloc((block - (content.length % block)) % block)
  return gzipSync(Buffer.concat([header, content, padding, Buffer.alloc(2 * block)]))
}
