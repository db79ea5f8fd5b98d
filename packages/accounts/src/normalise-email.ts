import { domainToASCII } from "node:url";

/** RFC 5321, section 4.5.3.1. */
const MAX_EMAIL = 254;
const MAX_LOCAL = 64;
/** RFC 5322's dot-atom, and letters of other scripts (RFC 6531); quoted local parts are nobody's address today. */
const LOCAL = /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * One form for one mailbox: trimmed, NFKC, lower case, the domain in ASCII. What comes after `+`, and dots, stay: only
 * the mailbox's host knows what they mean. Null where the text is no address.
 */
export function normaliseEmail(text: string): string | null {
  const plain = text.trim().normalize("NFKC").toLowerCase();
  const at = plain.lastIndexOf("@");
  const local = plain.slice(0, at);
  const domain = domainToASCII(plain.slice(at + 1));
  if (at < 1 || Buffer.byteLength(local) > MAX_LOCAL || !LOCAL.test(local) || !DOMAIN.test(domain)) return null;
  const email = `${local}@${domain}`;
  return email.length > MAX_EMAIL ? null : email;
}
