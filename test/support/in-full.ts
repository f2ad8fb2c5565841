/** Whether the tests run in the size of `npm run test:full`; a file that asks for it is run by both tiers. */
export const inFull = process.env.TIER === 'full'
