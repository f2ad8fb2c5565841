import type { Slot } from './lab-node.ts'

/** The two boot slots of a machine, and what runs: it runs from memory, whatever became of its slot. */
export type BootSlots = {
  slots: Readonly<Record<'A' | 'B', Slot | undefined>>
  /** the slot that the running system was booted from */
  running: 'A' | 'B'
  /** the slot that the next boot takes */
  default: 'A' | 'B'
  runs: Slot
}

/** A machine that was installed once and has booted. */
export function freshSlots(slot: Omit<Slot, 'booted'>): BootSlots {
  const runs = { ...slot, booted: true }
  return { slots: { A: runs, B: undefined }, running: 'A', default: 'A', runs }
}

export function otherSlot(name: 'A' | 'B'): 'A' | 'B' {
  return name === 'A' ? 'B' : 'A'
}

/**
 * The moment an installer begins to write: the slot that is not the default loses its content. After a boot that is
 * the one that does not run; after an installation without a boot it is the one that runs, and with it the way back
 * goes (`lost`). GRUB overwrites it, sd-boot removes every image but the default: the outcome is the same.
 */
export function beginInstall(slots: BootSlots): { slots: BootSlots; lost: Slot | undefined } {
  const target = otherSlot(slots.default)
  return {
    slots: { ...slots, slots: { ...slots.slots, [target]: undefined } },
    lost: target === slots.running ? slots.slots[target] : undefined,
  }
}

/** The installer has finished: the slot holds the new system and is the default. */
export function finishInstall(slots: BootSlots, written: Omit<Slot, 'booted'>): BootSlots {
  const target = otherSlot(slots.default)
  return { ...slots, slots: { ...slots.slots, [target]: { ...written, booted: false } }, default: target }
}

/** The machine has booted from `name`. Fails when there is nothing in that slot. */
export function bootFrom(slots: BootSlots, name: 'A' | 'B'): BootSlots {
  const slot = slots.slots[name]
  if (slot === undefined) throw new Error(`slot ${name} is empty`)
  const runs = { ...slot, booted: true }
  return { slots: { ...slots.slots, [name]: runs }, running: name, default: name, runs }
}
