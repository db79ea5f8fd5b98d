import { findMpegAudio } from "./find-mpeg-audio.ts";

/** How many bytes from the start `sniffMedia` wants to see (fewer are fine where the file is shorter). */
export const SNIFF_BYTES = 8192;

export interface SniffedMedia {
  /** Our name of the container: `wav`, `mp3`, `mp4`, `webm`, … */
  readonly container: string;
  /** For storing and serving; a guess where the container holds both sound and picture. */
  readonly contentType: string;
}

type Rule = readonly [container: string, contentType: string, matches: (bytes: Buffer) => boolean];

/** Content that begins with these bytes; `.` in a mask of text stands for any byte. */
const at = (offset: number, magic: string | readonly number[]) => {
  const wanted = typeof magic === "string" ? Buffer.from(magic, "latin1") : Buffer.from(magic);
  return (bytes: Buffer) => bytes.subarray(offset, offset + wanted.length).equals(wanted);
};
const both =
  (...rules: ((bytes: Buffer) => boolean)[]) =>
  (bytes: Buffer) =>
    rules.every((rule) => rule(bytes));
const either =
  (...rules: ((bytes: Buffer) => boolean)[]) =>
  (bytes: Buffer) =>
    rules.some((rule) => rule(bytes));

/** Pictures use the same boxes as MP4. */
const PICTURE_BRANDS = /^(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1|avif|avis|crx |jp2 |jpx |jxl )/;
const brand = (bytes: Buffer) => bytes.toString("latin1", 8, 12);
const isPicture = (bytes: Buffer) => PICTURE_BRANDS.test(brand(bytes));
const isBox = (bytes: Buffer) => /^(?:moov|mdat|wide|free|skip|pnot)$/.test(bytes.toString("latin1", 4, 8));

/** A transport stream has its sync byte at the same place of every packet. */
const everyPacket = (first: number, length: number) => (bytes: Buffer) =>
  bytes.length > first + length * 2 && [0, 1, 2].every((packet) => bytes[first + packet * length] === 0x47);

const MATROSKA = at(0, [0x1a, 0x45, 0xdf, 0xa3]);

const RULES: readonly Rule[] = [
  ["wav", "audio/wav", both(either(at(0, "RIFF"), at(0, "RF64"), at(0, "RIFX")), at(8, "WAVE"))],
  ["w64", "audio/wav", at(0, [0x72, 0x69, 0x66, 0x66, 0x2e, 0x91, 0xcf, 0x11])],
  ["avi", "video/x-msvideo", both(at(0, "RIFF"), at(8, "AVI "))],
  ["aiff", "audio/aiff", both(at(0, "FORM"), either(at(8, "AIFF"), at(8, "AIFC")))],
  ["flac", "audio/flac", at(0, "fLaC")],
  ["ogg", "audio/ogg", at(0, "OggS")],
  ["webm", "video/webm", both(MATROSKA, (bytes) => bytes.subarray(0, 64).includes("webm"))],
  ["matroska", "video/x-matroska", MATROSKA],
  ["3gp", "video/3gpp", both(at(4, "ftyp"), (bytes) => /^3g/.test(brand(bytes)))],
  ["m4a", "audio/mp4", both(at(4, "ftyp"), (bytes) => /^M4[AB] /.test(brand(bytes)))],
  ["mov", "video/quicktime", both(at(4, "ftyp"), at(8, "qt  "))],
  ["mp4", "video/mp4", both(at(4, "ftyp"), (bytes) => !isPicture(bytes))],
  ["mov", "video/quicktime", isBox],
  ["asf", "video/x-ms-asf", at(0, [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11])],
  ["flv", "video/x-flv", at(0, [0x46, 0x4c, 0x56, 0x01])],
  ["amr", "audio/amr", either(at(0, "#!AMR\n"), at(0, "#!AMR-WB\n"), at(0, "#!AMR_MC1.0\n"))],
  ["caf", "audio/x-caf", at(0, "caff\0")],
  ["au", "audio/basic", at(0, ".snd")],
  ["voc", "audio/x-voc", at(0, "Creative Voice File\x1a")],
  ["ape", "audio/x-ape", at(0, "MAC ")],
  ["wavpack", "audio/x-wavpack", at(0, "wvpk")],
  ["tta", "audio/x-tta", at(0, "TTA1")],
  ["tak", "audio/x-tak", at(0, "tBaK")],
  ["musepack", "audio/x-musepack", either(at(0, "MPCK"), at(0, "MP+"))],
  ["mxf", "application/mxf", at(0, [0x06, 0x0e, 0x2b, 0x34, 0x02, 0x05, 0x01, 0x01])],
  ["mpeg", "video/mpeg", at(0, [0x00, 0x00, 0x01, 0xba])],
  ["mpegts", "video/mp2t", either(everyPacket(0, 188), everyPacket(4, 192), everyPacket(0, 204))],
  ["dts", "audio/vnd.dts", either(at(0, [0x7f, 0xfe, 0x80, 0x01]), at(0, [0xfe, 0x7f, 0x01, 0x80]))],
  ["ac3", "audio/ac3", at(0, [0x0b, 0x77])],
];

/**
 * What a file is by its first bytes, or null where they are of no kind that we decode: the name and the type that came
 * with it are not asked. A match is no promise that it can be decoded.
 */
export function sniffMedia(firstBytes: Uint8Array): SniffedMedia | null {
  const bytes = Buffer.from(firstBytes.buffer, firstBytes.byteOffset, firstBytes.byteLength);
  const rule = RULES.find(([, , matches]) => matches(bytes));
  if (rule) return { container: rule[0], contentType: rule[1] };
  const mpeg = findMpegAudio(bytes);
  return mpeg && { container: mpeg, contentType: mpeg === "aac" ? "audio/aac" : "audio/mpeg" };
}
