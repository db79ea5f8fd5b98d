import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { generateWebhookSecret, signDelivery } from "../src/index.ts";

const GUIDE = resolve(import.meta.dirname, "../../../docs/webhooks.md");

/** The guide's snippet in a language. */
export function snippet(language: "js" | "python"): string {
  const text = readFileSync(GUIDE, "utf8");
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text);
  if (!found) throw new Error(`The guide has no snippet in ${language}.`);
  return found[1]!;
}

export interface SnippetCase {
  name: string;
  body: string;
  headers: Record<string, string>;
  secret: string;
  expected: boolean;
}

/** What a receiver's check must say of good and bad deliveries. */
export function snippetCases(): SnippetCase[] {
  const [secret, other] = [generateWebhookSecret(), generateWebhookSecret()];
  const body = '{"type":"job.completed","data":{"text":"שלום 🐇"}}';
  const now = Math.floor(Date.now() / 1000);
  const sign = (timestamp: number, secrets: string[]) => signDelivery({ id: "id-1", timestamp, body }, secrets);
  const good = sign(now, [secret]);
  const { "webhook-signature": _, ...unsigned } = good;
  return [
    { name: "signed", body, headers: good, secret, expected: true },
    { name: "signed by both while rotating", body, headers: sign(now, [other, secret]), secret, expected: true },
    { name: "signed by another", body, headers: sign(now, [other]), secret, expected: false },
    { name: "another body", body: `${body} `, headers: good, secret, expected: false },
    { name: "another id", body, headers: { ...good, "webhook-id": "id-2" }, secret, expected: false },
    { name: "too old", body, headers: sign(now - 600, [secret]), secret, expected: false },
    { name: "no timestamp", body, headers: { ...good, "webhook-timestamp": "x" }, secret, expected: false },
    { name: "no signature", body, headers: unsigned, secret, expected: false },
    {
      name: "another version",
      body,
      headers: { ...good, "webhook-signature": good["webhook-signature"]!.replace("v1,", "v9,") },
      secret,
      expected: false,
    },
    { name: "no headers", body, headers: {}, secret, expected: false },
  ];
}
