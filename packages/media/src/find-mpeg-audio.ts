/** Rates in kbit/s by MPEG version (1; 2 and 2.5) and layer (ISO 11172-3, 2.4.2.3; ISO 13818-3, 2.4.2.3). */
const BIT_RATES = {
  v1: {
    1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  },
  v2: {
    1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    2: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    3: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  },
} as const;
const SAMPLE_RATES = [44_100, 48_000, 32_000] as const;

/**
 * Whether the bytes are MPEG audio (`mp3`) or AAC in ADTS (`aac`): formats without a signature, only frames, maybe after
 * an ID3 tag or some junk. Two whole frames in a row count, or one that the bytes end in; a tag alone counts as `mp3`.
 */
export function findMpegAudio(bytes: Buffer): "mp3" | "aac" | null {
  if (bytes.toString("latin1", 0, 3) === "ID3" && bytes.length >= 10) return "mp3";
  for (let offset = 0; offset + 4 <= bytes.length; offset++) {
    if (bytes[offset] !== 0xff) continue;
    for (const [name, lengthAt] of [
      ["aac", adtsFrameLength],
      ["mp3", mpegFrameLength],
    ] as const) {
      const length = lengthAt(bytes, offset);
      if (length === null) continue;
      const next = offset + length;
      // A frame at the very start may be the only one that there is to see.
      if (next + 7 > bytes.length ? offset === 0 : lengthAt(bytes, next) !== null) return name;
    }
  }
  return null;
}

/** Length in bytes of the MPEG audio frame whose header stands at `offset`; null where none does. */
function mpegFrameLength(bytes: Buffer, offset: number): number | null {
  const header = bytes.readUInt32BE(offset);
  const version = (header >>> 19) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  const layer = (4 - ((header >>> 17) & 3)) as 1 | 2 | 3 | 4;
  if (header >>> 21 !== 0x7ff || version === 1 || layer === 4) return null;
  const kilobits = BIT_RATES[version === 3 ? "v1" : "v2"][layer][((header >>> 12) & 15) - 1];
  const fullRate = SAMPLE_RATES[(header >>> 10) & 3];
  if (kilobits === undefined || fullRate === undefined) return null;
  const sampleRate = version === 3 ? fullRate : version === 2 ? fullRate / 2 : fullRate / 4;
  const padding = (header >>> 9) & 1;
  if (layer === 1) return (Math.floor((12_000 * kilobits) / sampleRate) + padding) * 4;
  const samplesPerByte = layer === 3 && version !== 3 ? 72_000 : 144_000;
  return Math.floor((samplesPerByte * kilobits) / sampleRate) + padding;
}

/** Length in bytes of the ADTS frame (ISO 13818-7, 6.2) whose header stands at `offset`; null where none does. */
function adtsFrameLength(bytes: Buffer, offset: number): number | null {
  if (offset + 7 > bytes.length || (bytes[offset + 1]! & 0xf6) !== 0xf0) return null;
  const rateIndex = (bytes[offset + 2]! >> 2) & 15;
  const length = ((bytes[offset + 3]! & 3) << 11) | (bytes[offset + 4]! << 3) | (bytes[offset + 5]! >> 5);
  return rateIndex <= 12 && length > 7 ? length : null;
}
