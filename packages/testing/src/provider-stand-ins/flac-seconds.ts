/** How long a FLAC file says that it is; 0 where it is none, or does not say. */
export function flacSeconds(file: Buffer): number {
  if (file.toString("latin1", 0, 4) !== "fLaC" || file.length < 26) return 0;
  const sampleRate = file.readUIntBE(18, 3) >> 4;
  const samples = (file[21]! & 0x0f) * 2 ** 32 + file.readUInt32BE(22);
  return sampleRate === 0 ? 0 : samples / sampleRate;
}
