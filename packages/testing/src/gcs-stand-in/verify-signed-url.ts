import { createHash, createVerify, type KeyObject } from "node:crypto";
import type { IncomingMessage } from "node:http";

/**
 * Checks a V4 signature (GOOG4-RSA-SHA256) as GCS documents it: what is wrong, or null. Official clients sign the host
 * without its port, which real addresses have none of.
 */
export function verifySignedUrl(request: IncomingMessage, url: URL, key: KeyObject, email: string): string | null {
  const query = url.searchParams;
  const parameter = (name: string) => query.get(`X-Goog-${name}`) ?? "";
  const [date, signed, scope] = [parameter("Date"), parameter("SignedHeaders"), parameter("Credential")];
  if (parameter("Algorithm") !== "GOOG4-RSA-SHA256" || !scope.startsWith(`${email}/`)) return "SignatureDoesNotMatch";
  const issuedAt = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Date.now() < issuedAt + Number(parameter("Expires")) * 1000)) return "ExpiredToken";
  const headers = signed.split(";").map((name) => {
    const value = name === "host" ? (request.headers.host ?? "").replace(/:\d+$/, "") : request.headers[name];
    return `${name}:${String(value ?? "").trim()}\n`;
  });
  // A header that decides what happens must not be added by whoever holds the address.
  const unsigned = Object.keys(request.headers).filter((name) => name.startsWith("x-goog-"));
  if (unsigned.some((name) => !signed.split(";").includes(name))) return "SignatureDoesNotMatch";
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const canonicalQuery = [...query]
    .filter(([name]) => name !== "X-Goog-Signature")
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const canonical = [request.method, url.pathname, canonicalQuery, headers.join(""), signed, "UNSIGNED-PAYLOAD"];
  const hash = createHash("sha256").update(canonical.join("\n")).digest("hex");
  const toSign = ["GOOG4-RSA-SHA256", date, scope.slice(email.length + 1), hash].join("\n");
  const valid = createVerify("RSA-SHA256").update(toSign).verify(key, parameter("Signature"), "hex");
  return valid ? null : "SignatureDoesNotMatch";
}
