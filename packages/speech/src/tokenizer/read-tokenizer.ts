import { z } from "zod";
import { parseJsonAs } from "../model/parse-json.ts";
import { SpeechError } from "../speech-error.ts";
import { Tokenizer, type TokenizerFiles } from "./tokenizer.ts";

const tokenId = z
  .int()
  .min(0)
  .max(2 ** 24);
const merge = z.union([z.string(), z.tuple([z.string(), z.string()])]);

const tokenizerJson = z.object({
  added_tokens: z.array(z.object({ id: tokenId, content: z.string() })).default([]),
  model: z.object({ type: z.literal("BPE").optional(), vocab: z.record(z.string(), tokenId), merges: z.array(merge) }),
});
const vocabularyJson = z.record(z.string(), tokenId);
const tokenizerConfigJson = z.object({
  added_tokens_decoder: z.record(z.string(), z.object({ content: z.string() })).default({}),
});

/** Reads a file of the model folder; undefined where there is none. */
export type ReadModelFile = (name: string) => Promise<string | undefined>;

/**
 * A model's tokenizer from `tokenizer.json`, or else from `vocab.json` and `merges.txt` with the added tokens of
 * `added_tokens.json` and `tokenizer_config.json`. Throws `model_unavailable` where files are missing, `invalid_model`
 * where they are damaged.
 */
export async function readTokenizer(read: ReadModelFile): Promise<Tokenizer> {
  const whole = await read("tokenizer.json");
  const files = whole === undefined ? await readLooseFiles(read) : fromTokenizerJson(whole);
  try {
    return new Tokenizer(files);
  } catch (error) {
    throw new SpeechError("invalid_model", `tokenizer: ${(error as Error).message}`, error);
  }
}

function fromTokenizerJson(text: string): TokenizerFiles {
  const { added_tokens, model } = parseJsonAs("tokenizer.json", text, tokenizerJson);
  return {
    vocabulary: new Map(Object.entries(model.vocab)),
    merges: model.merges.map((entry) => (typeof entry === "string" ? splitMerge(entry) : entry)),
    added: new Map(added_tokens.map(({ content, id }) => [content, id])),
  };
}

async function readLooseFiles(read: ReadModelFile): Promise<TokenizerFiles> {
  const [vocabularyText, mergesText] = [await read("vocab.json"), await read("merges.txt")];
  if (vocabularyText === undefined || mergesText === undefined) {
    throw new SpeechError("model_unavailable", "the model has neither tokenizer.json nor vocab.json with merges.txt");
  }
  const added = new Map<string, number>();
  const configText = await read("tokenizer_config.json");
  if (configText !== undefined) {
    const config = parseJsonAs("tokenizer_config.json", configText, tokenizerConfigJson);
    for (const [id, { content }] of Object.entries(config.added_tokens_decoder)) added.set(content, Number(id));
  }
  const addedText = await read("added_tokens.json");
  if (addedText !== undefined) {
    for (const [content, id] of Object.entries(parseJsonAs("added_tokens.json", addedText, vocabularyJson))) {
      added.set(content, id);
    }
  }
  return {
    vocabulary: new Map(Object.entries(parseJsonAs("vocab.json", vocabularyText, vocabularyJson))),
    merges: mergesText
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith("#version"))
      .map((line) => splitMerge(line.trimEnd())),
    added,
  };
}

function splitMerge(line: string): [string, string] {
  const [left, right, ...rest] = line.split(" ");
  if (!left || !right || rest.length > 0) {
    throw new SpeechError("invalid_model", `tokenizer: ${JSON.stringify(line)} is no merge of two parts`);
  }
  return [left, right];
}
