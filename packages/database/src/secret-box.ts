import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

export interface SecretBox {
  encrypt(text: string): string;
  /** @throws Error where the text was made with another key or was changed */
  decrypt(sealed: string): string;
}

/**
 * AES-256-GCM with a fresh 96-bit nonce a value, as `v1.<nonce>.<tag>.<ciphertext>` in base64url. What `before`, the key
 * before this one, encrypted is still readable.
 */
export function createSecretBox(key: Buffer, before?: Buffer): SecretBox {
  const box = boxOf(key);
  if (before === undefined) return box;
  return {
    encrypt: box.encrypt,
    decrypt(sealed) {
      try {
        return box.decrypt(sealed);
      } catch {
        return boxOf(before).decrypt(sealed);
      }
    },
  };
}

function boxOf(key: Buffer): SecretBox {
  return {
    encrypt(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return ["v1", nonce, cipher.getAuthTag(), sealed]
        .map((part) => (typeof part === "string" ? part : part.toString("base64url")))
        .join(".");
    },
    decrypt(sealed) {
      const [version, nonce, tag, text] = sealed.split(".");
      if (version !== "v1" || nonce === undefined || tag === undefined || text === undefined) {
        throw new Error("A stored secret has an unknown form");
      }
      const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64url"), { authTagLength: 16 });
      decipher.setAuthTag(Buffer.from(tag, "base64url"));
      try {
        return Buffer.concat([decipher.update(Buffer.from(text, "base64url")), decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new Error("A stored secret cannot be read; is SCRIBE_ENCRYPTION_KEY the one it was written with?", {
          cause,
        });
      }
    },
  };
}
