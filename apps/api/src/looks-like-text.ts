const ESCAPE = 0x1b;

/** Whether a file that begins so is text in UTF-8; a character that the end cuts through counts as whole. */
export function looksLikeText(head: Uint8Array): boolean {
  if (head.some((byte) => byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== ESCAPE))) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
