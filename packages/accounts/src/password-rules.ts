const MIN_CHARACTERS = 12;
const MAX_CHARACTERS = 128;

/**
 * Why a password cannot be chosen, or null. Length is what counts (NIST SP 800-63B, section 5.1.1.2): no rules of
 * composition. Characters are code points.
 */
export function passwordProblem(password: string, email: string): string | null {
  const characters = [...password].length;
  if (characters < MIN_CHARACTERS || characters > MAX_CHARACTERS) {
    return `must have ${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters`;
  }
  if (password.trim().normalize("NFKC").toLowerCase() === email) return "must not be the e-mail address";
  return null;
}
