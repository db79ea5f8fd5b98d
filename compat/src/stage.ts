import { readFileSync } from "node:fs";
import { type FileServer, sampleDialogue, startFileServer, startTestStack, type TestStack } from "@scribe/testing";

/** A running stack with the bundled model, and the sample that it hears well. */
export interface Stage {
  /** Of the API, without a slash at its end. */
  url: string;
  key: string;
  stack: TestStack;
  /** Where clients send a URL instead of a file. */
  files: FileServer;
  sample: { bytes: Uint8Array<ArrayBuffer>; url: string; text: string };
  close(): Promise<void>;
}

export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const dialogue = sampleDialogue();
  const files = await startFileServer();
  const stack = await startTestStack(env);
  const bytes = new Uint8Array(readFileSync(dialogue.path));
  return {
    ...{ url: stack.url, key: stack.key, stack, files },
    sample: { bytes, url: files.serve("sample.wav", { bytes, contentType: "audio/wav" }), text: dialogue.text },
    async close() {
      await stack.stop();
      await files.stop();
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
