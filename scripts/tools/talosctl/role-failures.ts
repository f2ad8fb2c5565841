import { type Failure, failure } from '../../../workflows/model/failure.ts'

/** May everything. */
const ADMIN = 'os:admin'

type Role = { roles: readonly string[]; talosconfig: string }

/** Why a talosconfig can not do as the verb says: an installation, and leadership that is handed over, are for administrators. */
export const roleFailures = (role: Role, verb: string): Failure[] =>
  role.roles.includes(ADMIN) ? [] : [lacks(role, `${/^[aeiou]/.test(verb) ? 'an' : 'a'} ${verb}`)]

/**
 * What nodes refuse because of our role is one reason, whatever was asked and on however many nodes; beside it nothing
 * that they told can be relied on.
 */
export function deniedOnce(failures: readonly Failure[], role: Role): readonly Failure[] {
  const isDenied = failures.some(({ reason, node }) => reason === 'permission-denied' && node !== undefined)
  return isDenied && !role.roles.includes(ADMIN) ? [lacks(role, 'what was asked')] : failures
}

const lacks = ({ roles, talosconfig }: Role, what: string): Failure =>
  failure('permission-denied', {
    detail: `${talosconfig} has ${roles.length === 0 ? 'no role' : `the role ${roles.join(', ')}`}, and ${what} needs ${ADMIN}`,
    hint: "talosctl config contexts # an administrator's is named with --talosconfig",
  })
