/** How a verb of `workflows/lab.ts` ends, by the same table as every command. */
export type LabExit = 0 | 1 | 64 | 65 | 69 | 77
