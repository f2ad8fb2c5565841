/** The first three numbers of a 127.a.b.0/24 that no other test process uses: it is made from the process id. */
export const freeNetwork = `127.${100 + ((process.pid >> 8) % 100)}.${process.pid % 256}`
