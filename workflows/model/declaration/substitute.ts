/**
 * A text with the variables of an env file put in, as talhelper does: `$name`, `${name}`, `${name:-default}`, `$$`. What
 * is not known stays as it is, and is found when talhelper complains.
 */
export const substitute = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(/\$\$|\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)/g, (whole, braced, fallback, bare) => {
    if (whole === '$$') return '$'
    return variables[braced ?? bare] || (fallback ?? whole)
  })
