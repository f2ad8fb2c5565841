const chunkBytes = 65_536
const fullChunks = 15

/**
 * A log that machined keeps in memory: fifteen full chunks of 64 KiB and one that is being filled; when that is full,
 * the oldest goes, wherever it cuts a line (Talos internal/app/machined/pkg/runtime/logging/circular.go). Lines are
 * ASCII here, so that a character is a byte.
 */
export class LogRing {
  #full: string[] = []
  #open = ''

  append(line: string): void {
    this.#open += `${line}\n`
    while (this.#open.length >= chunkBytes) {
      this.#full.push(this.#open.slice(0, chunkBytes))
      this.#open = this.#open.slice(chunkBytes)
    }
    if (this.#full.length > fullChunks) this.#full = this.#full.slice(-fullChunks)
  }

  /** Everything that is left, oldest first; the first line may have lost its beginning. */
  lines(): string[] {
    const text = this.#full.join('') + this.#open
    return text === '' ? [] : text.slice(0, -1).split('\n')
  }
}
