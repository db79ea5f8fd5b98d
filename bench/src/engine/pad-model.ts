import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHARACTER_OF_BYTE, type ModelFolder, openSafetensors, readModelFolder } from "@scribe/speech/parts";

/** What whisper.cpp takes for granted of an English model: its vocabulary, and the ids of its special tokens. */
const VOCABULARY = 51_864;
const SPECIAL: Record<string, number> = {
  endoftext: 50_256,
  startoftranscript: 50_257,
  en: 50_258,
  translate: 50_357,
  transcribe: 50_358,
  startoflm: 50_359,
  startofprev: 50_360,
  nospeech: 50_361,
  notimestamps: 50_362,
};
const FIRST_TIMESTAMP = 50_363;
/** The logit of tokens that do not exist. */
const NEVER = -60;

/**
 * Writes an English model of another vocabulary as one of whisper.cpp's, which computes the same text: tokens keep their
 * rows of the embedding under their new ids, and what lies between has a row whose product with whatever the last
 * LayerNorm says is one large negative number: −60 · (1/gain) / Σ (bias/gain), for the normalised values sum to zero.
 */
export async function padModel(from: string, folder: string): Promise<ModelFolder> {
  const model = await readModelFolder(from);
  const { config } = model;
  await mkdir(folder, { recursive: true });
  const tokenizer = JSON.parse(await readFile(join(from, "tokenizer.json"), "utf8"));
  const moved = new Map<number, number>();
  for (const { id, content } of tokenizer.added_tokens as { id: number; content: string }[]) {
    const name = content.slice(2, -2);
    moved.set(id, SPECIAL[name] ?? FIRST_TIMESTAMP + Math.round(Number(name) / 0.02));
  }
  const place = (id: number) => moved.get(id) ?? id;
  const json = async (name: string, change: (value: Record<string, unknown>) => void) => {
    const value = JSON.parse(await readFile(join(from, name), "utf8"));
    change(value);
    await writeFile(join(folder, name), JSON.stringify(value));
  };
  const ids = (value: Record<string, unknown>) => {
    for (const [key, held] of Object.entries(value)) {
      if (/_tokens?(_id)?$|_token_id$/.test(key) && typeof held === "number") value[key] = place(held);
      if (/suppress_tokens$/.test(key) && Array.isArray(held)) value[key] = held.map(place);
    }
  };
  await json("config.json", (value) => {
    ids(value);
    value.vocab_size = VOCABULARY;
  });
  await json("generation_config.json", ids);
  await json("tokenizer.json", (value) => {
    const vocabulary = (value.model as { vocab: Record<string, number> }).vocab;
    for (let id = Object.keys(vocabulary).length; id < SPECIAL.endoftext!; id++) vocabulary[`<pad ${id}>`] = id;
    for (const token of value.added_tokens as { id: number }[]) token.id = place(token.id);
  });
  await copyFile(join(from, "preprocessor_config.json"), join(folder, "preprocessor_config.json"));

  const tensors = openSafetensors(from);
  const held = JSON.parse(await readHeader(join(from, "model.safetensors"))) as Record<string, { shape: number[] }>;
  const width = config.d_model;
  const gain = tensors.read("model.decoder.layer_norm.weight", [width]);
  const bias = tensors.read("model.decoder.layer_norm.bias", [width]);
  const constant = bias.reduce((sum, value, i) => sum + value / gain[i]!, 0);
  const never = gain.map((value) => NEVER / value / constant);
  const embedding = new Float32Array(VOCABULARY * width);
  for (let id = 0; id < VOCABULARY; id++) embedding.set(never, id * width);
  const own = tensors.read("model.decoder.embed_tokens.weight", [config.vocab_size, width]);
  for (let id = 0; id < config.vocab_size; id++) {
    // Of ids that neither the vocabulary nor the special tokens name there is none below the end of text.
    embedding.set(own.subarray(id * width, (id + 1) * width), place(id) * width);
  }
  const all = Object.entries(held).filter(([name]) => name !== "__metadata__");
  const values = all.map(([name, { shape }]) =>
    name === "model.decoder.embed_tokens.weight"
      ? { name, shape: [VOCABULARY, width], data: embedding }
      : { name, shape, data: tensors.read(name, shape) },
  );
  tensors.close();
  await writeFile(join(folder, "model.safetensors"), safetensors(values));
  return readModelFolder(folder);
}

/** The bytes of each token below the end of text, in order, as ggml files hold them. */
export async function tokenBytes(folder: string, count: number): Promise<Uint8Array[]> {
  const { model } = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8"));
  const byteOf = new Map(CHARACTER_OF_BYTE.map((character, byte) => [character, byte]));
  const tokens: Uint8Array[] = Array.from({ length: count }, (_, id) => Buffer.from(`<pad ${id}>`));
  for (const [text, id] of Object.entries(model.vocab as Record<string, number>)) {
    if (id < count && !text.startsWith("<pad ")) {
      tokens[id] = Uint8Array.from([...text].map((character) => byteOf.get(character) ?? 0x3f));
    }
  }
  return tokens;
}

async function readHeader(path: string): Promise<string> {
  const bytes = await readFile(path);
  return bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0)));
}

function safetensors(tensors: { name: string; shape: number[]; data: Float32Array }[]): Buffer {
  const header: Record<string, unknown> = {};
  const parts = tensors.map(({ data }) => Buffer.from(new Float16Array(data).buffer));
  let end = 0;
  for (const [i, { name, shape }] of tensors.entries()) {
    header[name] = { dtype: "F16", shape, data_offsets: [end, end + parts[i]!.length] };
    end += parts[i]!.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}
