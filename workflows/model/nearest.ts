import levenshtein from 'damerau-levenshtein'

/** The known word that a mistyped one most likely stands for: at most a third of its letters away, else nothing. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: { word: string; distance: number } | undefined
  for (const candidate of known) {
    // swapped neighbours are one edit, since that is what fingers do
    const distance = levenshtein(word.toLowerCase(), candidate.toLowerCase()).steps
    if (distance > Math.max(1, Math.floor(candidate.length / 3))) continue
    if (best === undefined || distance < best.distance) best = { word: candidate, distance }
  }
  return best?.word
}
