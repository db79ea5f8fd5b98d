import type { Random } from "../random.ts";

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

/** Headers are where parsers are tender: half of the places lie in the first KiB. */
const place = (bytes: Buffer, random: Random) =>
  random.chance(0.5) ? random.int(Math.min(1024, bytes.length)) : random.int(bytes.length);

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    for (let at = 0, flips = 1 + random.int(16); at < flips; at++) bytes[place(bytes, random)]! ^= 1 << random.int(8);
    return bytes;
  },
  (bytes, random) => {
    for (let at = 0, count = 1 + random.int(64); at < count; at++) bytes[place(bytes, random)] = random.int(256);
    return bytes;
  },
  (bytes, random) => {
    const at = Math.min(place(bytes, random), Math.max(0, bytes.length - 4));
    if (bytes.length < 4) return bytes;
    const value = random.pick(EXTREMES);
    if (random.chance(0.5)) bytes.writeUInt32BE(value, at);
    else bytes.writeUInt32LE(value, at);
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, 1 + random.int(bytes.length)),
  (bytes, random) => bytes.subarray(random.int(Math.min(256, bytes.length))),
  (bytes, random) => {
    const from = place(bytes, random);
    bytes.fill(random.chance(0.5) ? 0 : 0xff, from, Math.min(bytes.length, from + 1 + random.int(4096)));
    return bytes;
  },
  (bytes, random) => {
    const from = place(bytes, random);
    const piece = bytes.subarray(from, from + 1 + random.int(2048));
    const to = place(bytes, random);
    return Buffer.concat([
      bytes.subarray(0, to),
      ...Array.from({ length: 1 + random.int(8) }, () => piece),
      bytes.subarray(to),
    ]);
  },
  (bytes, random) => {
    const from = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.int(2048))]);
  },
  (bytes, random, other) =>
    Buffer.concat([bytes.subarray(0, place(bytes, random)), other.subarray(random.int(other.length))]),
  (bytes, random) => Buffer.concat([bytes, Buffer.from(random.pick(TAILS))]),
];

/** What a demuxer that looks for more at the end, or follows references, may find. */
const TAILS = [
  "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n",
  "ffconcat version 1.0\nfile '/etc/passwd'\n",
  "ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
  "RIFF\xff\xff\xff\xffWAVEfmt ",
  "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff",
];

/** One to three things done to a copy of a file. */
export function mutate(original: Buffer, random: Random, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let at = 0, times = 1 + random.int(3); at < times; at++) {
    bytes = random.pick(MUTATIONS)(Buffer.from(bytes), random, other);
    if (bytes.length === 0) return Buffer.from([random.int(256)]);
  }
  return bytes;
}
