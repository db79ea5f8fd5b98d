/**
 * What must never stand in a log, wherever it came from: keys of ours and of providers, signing secrets, passwords in
 * addresses, and the query of a URL, which is where signed addresses carry their signature.
 */
const SECRETS: readonly [RegExp, string][] = [
  [/\b(sr_[A-Za-z0-9]{8}_)[A-Za-z0-9]{8,}/g, "$1[redacted]"],
  [/\b(srr|sri)_[A-Za-z0-9_-]{16,}/g, "$1_[redacted]"],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g, "eyJ[redacted]"],
  [/\bwhsec_[A-Za-z0-9+/=_-]{8,}/g, "whsec_[redacted]"],
  [/\b(sk|hf|pk|rk)([-_])[A-Za-z0-9_-]{16,}/g, "$1$2[redacted]"],
  [/\b(Bearer|Basic) +[A-Za-z0-9+/=._~-]{8,}/gi, "$1 [redacted]"],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"\\]{1,512}@/gi, "$1[redacted]@"],
  [/\b(https?:\/\/[^\s"'<>?#\\]{1,2048})\?[^\s"'<>\\]+/gi, "$1?[redacted]"],
  [/\b((?:X-Amz-Signature|X-Goog-Signature|signature|sig|token)=)[^\s&"'<>\\]{8,}/gi, "$1[redacted]"],
];

/** One line of a log, without secrets. */
export function scrubText(line: string): string {
  let text = line;
  for (const [pattern, replacement] of SECRETS) text = text.replace(pattern, replacement);
  return text;
}
