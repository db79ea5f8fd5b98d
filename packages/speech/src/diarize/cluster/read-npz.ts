import { inflateRawSync } from "node:zlib";
import { SpeechError } from "../../speech-error.ts";

/** An array as numpy wrote it. */
export type NumpyArray = { dims: number[]; values: Float64Array };

const CENTRAL_ENTRY = 0x02014b50;
const END_OF_DIRECTORY = 0x06054b50;

/**
 * The arrays of a numpy archive (`.npz`: a zip of `.npy` files), by name: floats of 32 or 64 bit, little endian, rows
 * first. Throws `invalid_model` for anything else.
 */
export function readNpz(bytes: Buffer): Map<string, NumpyArray> {
  try {
    return new Map([...entries(bytes)].map(([name, content]) => [name.replace(/\.npy$/, ""), readNpy(content)]));
  } catch (error) {
    if (error instanceof SpeechError) throw error;
    throw new SpeechError("invalid_model", "a PLDA file is no numpy archive", error);
  }
}

/** The files of a zip, from its central directory. */
function* entries(bytes: Buffer): Generator<[string, Buffer]> {
  const end = bytes.lastIndexOf(Buffer.from(Uint32Array.of(END_OF_DIRECTORY).buffer));
  if (end < 0) throw new SpeechError("invalid_model", "a PLDA file is no numpy archive");
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (bytes.readUInt32LE(at) !== CENTRAL_ENTRY) throw new SpeechError("invalid_model", "a PLDA file is damaged");
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    // The local header has lengths of its own.
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(start, start + packed);
    yield [name, method === 0 ? content : inflateRawSync(content)];
    at += 46 + nameLength + extraLength + commentLength;
  }
}

function readNpy(bytes: Buffer): NumpyArray {
  if (bytes.toString("latin1", 0, 6) !== "\x93NUMPY")
    throw new SpeechError("invalid_model", "a PLDA file holds no numpy array");
  const long = bytes[6] >= 2;
  const headerLength = long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const start = (long ? 12 : 10) + headerLength;
  const header = bytes.toString("latin1", long ? 12 : 10, start);
  const type = /'descr': *'([^']+)'/.exec(header)?.[1];
  const dims = (/'shape': *\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  if ((type !== "<f4" && type !== "<f8") || !/'fortran_order': *False/.test(header)) {
    throw new SpeechError("invalid_model", `a PLDA file holds numbers of another kind (${type})`);
  }
  const count = dims.reduce((product, dim) => product * dim, 1);
  const values = Float64Array.from({ length: count }, (_, i) =>
    type === "<f4" ? bytes.readFloatLE(start + 4 * i) : bytes.readDoubleLE(start + 8 * i),
  );
  return { dims, values };
}
