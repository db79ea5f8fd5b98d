import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type FileServer,
  type OpenaiStandIn,
  sampleDialogue,
  startFileServer,
  startOpenaiStandIn,
  startTestStack,
  type TestStack,
} from "@scribe/testing";

/** A running stack with the bundled model, and the sample that it hears well. */
export interface Stage {
  /** Of the API, without a slash at its end. */
  url: string;
  key: string;
  stack: TestStack;
  /** Where clients send a URL instead of a file. */
  files: FileServer;
  /** Whom jobs with a key of OpenAI's go to. */
  openai: { server: OpenaiStandIn; key: string };
  /** What older receivers of webhooks know. */
  ivritSecret: string;
  sample: { bytes: Uint8Array<ArrayBuffer>; url: string; text: string };
  close(): Promise<void>;
}

const IVRIT_SECRET = "what older receivers know";

export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const dialogue = sampleDialogue();
  const files = await startFileServer();
  const key = `sk-stand-in-${randomUUID()}`;
  const server = await startOpenaiStandIn({ key });
  const stack = await startTestStack({
    ...{ OPENAI_BASE_URL: server.baseUrl, IVRIT_WEBHOOK_SECRET: IVRIT_SECRET },
    ...env,
  });
  const bytes = new Uint8Array(readFileSync(dialogue.path));
  return {
    ...{ url: stack.url, key: stack.key, stack, files, openai: { server, key }, ivritSecret: IVRIT_SECRET },
    sample: { bytes, url: files.serve("sample.wav", { bytes, contentType: "audio/wav" }), text: dialogue.text },
    async close() {
      await stack.stop();
      await Promise.all([files.stop(), server.stop()]);
    },
  };
}

/** Case, punctuation and how numbers are spelled do not count: the words that were certainly heard do. */
export function assertHeard(stage: Stage, text: string): void {
  const words = new Set(text.toLowerCase().match(/[a-z]+/g));
  const expected = new Set(stage.sample.text.toLowerCase().match(/[a-z]{4,}/g));
  const heard = [...expected].filter((word) => words.has(word)).length;
  if (heard < 0.8 * expected.size)
    throw new Error(`heard ${heard} of ${expected.size} words in ${JSON.stringify(text)}`);
}
