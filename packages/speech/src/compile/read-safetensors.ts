import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { parseJsonAs } from "../model/parse-json.ts";
import { SpeechError } from "../speech-error.ts";

const BYTES = { F32: 4, F16: 2, BF16: 2 } as const;
/** Longer headers than this are no headers. */
const LONGEST_HEADER = 100e6;

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const headerSchema = z.record(z.string(), z.unknown());
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[\w.-]+$/)) });

type Place = { descriptor: number; file: string; type: keyof typeof BYTES; shape: number[]; offset: number };

/** Tensors of a model's safetensors files, read one by one when asked for. */
export type Safetensors = {
  has(name: string): boolean;
  /** A tensor's shape; `invalid_model` where it is missing. */
  shape(name: string): readonly number[];
  /** A tensor's values as fp32; `invalid_model` where it is missing or has another shape. */
  read(name: string, shape: readonly number[]): Float32Array;
  close(): void;
};

/**
 * Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names, in a model's folder. The format
 * is 8 bytes of length, a JSON header and raw little-endian tensors. Throws `model_unavailable` where there is none,
 * `invalid_model` where one is damaged or cut short.
 */
export function openSafetensors(folder: string): Safetensors {
  const descriptors: number[] = [];
  const close = () => {
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
  };
  try {
    const places = new Map<string, Place>();
    for (const path of filesOf(folder)) {
      const descriptor = openSync(path, "r");
      descriptors.push(descriptor);
      for (const [name, place] of readHeader(descriptor, basename(path))) places.set(name, place);
    }
    return {
      has: (name) => places.has(name),
      shape: (name) => find(places, name).shape,
      read(name, shape) {
        const place = find(places, name);
        if (place.shape.join() !== shape.join()) {
          throw new SpeechError("invalid_model", `${name} is [${place.shape}], config.json asks for [${shape}]`);
        }
        return readTensor(place);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function find(places: ReadonlyMap<string, Place>, name: string): Place {
  const place = places.get(name);
  if (!place) throw new SpeechError("invalid_model", `the weights lack ${name}`);
  return place;
}

function filesOf(folder: string): string[] {
  const single = join(folder, "model.safetensors");
  if (existsSync(single)) return [single];
  const index = join(folder, "model.safetensors.index.json");
  if (!existsSync(index)) throw new SpeechError("model_unavailable", "the model lacks model.safetensors");
  const { weight_map } = parseJsonAs(basename(index), readFileSync(index, "utf8"), indexSchema);
  const files = [...new Set(Object.values(weight_map))].map((name) => join(dirname(index), name));
  const missing = files.find((path) => !existsSync(path));
  if (missing) throw new SpeechError("model_unavailable", `the model lacks ${basename(missing)}`);
  return files;
}

function readHeader(descriptor: number, file: string): [string, Place][] {
  const size = fstatSync(descriptor).size;
  const length = size < 8 ? 0 : Number(readBytes(descriptor, 0, 8, file).readBigUInt64LE());
  if (length < 2 || length > Math.min(LONGEST_HEADER, size - 8)) {
    throw new SpeechError("invalid_model", `${file} has no header of safetensors, or is cut short`);
  }
  const header = parseJsonAs(file, readBytes(descriptor, 8, length, file).toString("utf8"), headerSchema);
  const places: [string, Place][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw new SpeechError("invalid_model", `${file}: ${name} is described wrongly`);
    const { dtype, shape, data_offsets } = entry.data;
    const [from, to] = data_offsets;
    // Types that weights do not come in (indices, masks) are left alone.
    if (!(dtype in BYTES)) continue;
    const type = dtype as keyof typeof BYTES;
    if (to - from !== elements(shape) * BYTES[type] || 8 + length + to > size) {
      throw new SpeechError("invalid_model", `${file}: ${name} does not fit into the file`);
    }
    places.push([name, { descriptor, file, type, shape, offset: 8 + length + from }]);
  }
  return places;
}

function readTensor({ descriptor, file, type, shape, offset }: Place): Float32Array {
  const bytes = readBytes(descriptor, offset, elements(shape) * BYTES[type], file);
  if (type === "F32") return new Float32Array(bytes.buffer);
  if (type === "F16") return new Float32Array(new Float16Array(bytes.buffer));
  const halves = new Uint16Array(bytes.buffer);
  const wide = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) wide[i] = halves[i] << 16;
  return new Float32Array(wide.buffer);
}

/** Bytes in memory of their own, so that any typed array may lie over them. */
function readBytes(descriptor: number, position: number, length: number, file: string): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, length - done, position + done);
    if (count === 0) throw new SpeechError("invalid_model", `${file} is cut short`);
    done += count;
  }
  return bytes;
}

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
