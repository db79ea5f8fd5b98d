import { type FileHandle, open } from "node:fs/promises";

/** Sizes that writers who could not seek back leave in the header. */
const UNKNOWN_SIZES = new Set([0, 0x7fff_ffff, 0xffff_ffff]);
const MOST_CHUNKS = 64;
/** An Ogg page: 27 bytes, up to 255 lengths, and up to 255 × 255 bytes. */
const LARGEST_OGG_PAGE = 27 + 255 + 255 * 255;

/**
 * Whether a file ends before its own structure does, in the two containers that ffmpeg reads to a sudden end without a
 * word: WAV (RIFF, little endian), whose `data` chunk has a size, and Ogg (RFC 3533, section 6), whose last page has.
 */
export async function isCutShort(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const start = await readAt(file, 0, 12);
    if (start.toString("latin1", 0, 4) === "OggS") return await oggIsCut(file, size);
    const isWav = start.toString("latin1", 0, 4) === "RIFF" && start.toString("latin1", 8, 12) === "WAVE";
    return isWav && (await wavIsCut(file, size));
  } finally {
    await file.close();
  }
}

async function wavIsCut(file: FileHandle, size: number): Promise<boolean> {
  let offset = 12;
  for (let chunks = 0; chunks < MOST_CHUNKS && offset + 8 <= size; chunks++) {
    const header = await readAt(file, offset, 8);
    const length = header.readUInt32LE(4);
    if (header.toString("latin1", 0, 4) === "data") return !UNKNOWN_SIZES.has(length) && offset + 8 + length > size;
    offset += 8 + length + (length % 2);
  }
  return false;
}

async function oggIsCut(file: FileHandle, size: number): Promise<boolean> {
  const tail = await readAt(file, Math.max(0, size - LARGEST_OGG_PAGE), LARGEST_OGG_PAGE);
  const page = tail.lastIndexOf("OggS");
  if (page === -1 || page + 27 > tail.length) return true;
  const segments = tail[page + 26]!;
  const lengths = tail.subarray(page + 27, page + 27 + segments);
  const bodyBytes = lengths.reduce((sum, length) => sum + length, 0);
  return page + 27 + segments + bodyBytes > tail.length;
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}
