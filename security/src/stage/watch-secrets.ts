/** Knows every secret of the run, and where one has appeared that should not have. */
export interface SecretWatch {
  /** From now on this text must appear nowhere. */
  add(what: string, secret: string): void;
  /** Looks at what was answered or logged. */
  look(where: string, text: string): void;
  readonly secrets: ReadonlyMap<string, string>;
  readonly leaks: readonly string[];
  /** Texts that were looked at. */
  readonly looked: number;
}

export function watchSecrets(): SecretWatch {
  const secrets = new Map<string, string>();
  const leaks: string[] = [];
  let looked = 0;
  return {
    secrets,
    leaks,
    get looked() {
      return looked;
    },
    add(what, secret) {
      secrets.set(secret, what);
    },
    look(where, text) {
      looked += 1;
      for (const [secret, what] of secrets) {
        if (text.includes(secret)) leaks.push(`${what} in ${where}: …${around(text, secret)}…`);
      }
    },
  };
}

function around(text: string, secret: string): string {
  const at = text.indexOf(secret);
  return text.slice(Math.max(0, at - 80), at + secret.length + 20).replace(secret, "<SECRET>");
}
