import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

/** What a link to a transcript says, besides its signature. */
export interface SignedLink {
  tenantId: string;
  jobId: string;
  format: string;
  /** Unix seconds. */
  expires: number;
}

export interface LinkSigner {
  sign(link: SignedLink): string;
  /** Whether the signature is one of ours; in constant time. When the link ends is for the caller to look at. */
  verify(link: SignedLink, signature: string): boolean;
}

/** HMAC-SHA256 under a key that is derived from the instance's; links made under the key before hold to their end. */
export function createLinkSigner(key: Buffer, before?: Buffer): LinkSigner {
  const keys = [key, ...(before === undefined ? [] : [before])].map((secret) =>
    Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), "scribe transcript links", 32)),
  );
  const mac = (with_: Buffer, { tenantId, jobId, format, expires }: SignedLink) =>
    createHmac("sha256", with_).update(`${tenantId}\n${jobId}\n${format}\n${expires}`).digest();
  return {
    sign: (link) => mac(keys[0] as Buffer, link).toString("base64url"),
    verify(link, signature) {
      const given = Buffer.from(signature, "base64url");
      return keys.some((each) => {
        const right = mac(each, link);
        return given.length === right.length && timingSafeEqual(given, right);
      });
    },
  };
}
