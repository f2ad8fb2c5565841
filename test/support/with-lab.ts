import { type LabWishes, startLab, type TestLab } from './lab.ts'

/** A lab for as long as `use` takes. */
export async function withLab(wishes: LabWishes, use: (lab: TestLab) => Promise<void>): Promise<void> {
  const lab = await startLab(wishes)
  try {
    await use(lab)
  } finally {
    await lab.down()
  }
}
