/** What a made recording holds: values from -1 to 1 over time, by channel. */
export type Signal = (seconds: number, channel: number) => number;

export const silence: Signal = () => 0;

/** A sine of `hertz` at a level that no clipping touches. */
export const tone =
  (hertz: number, amplitude = 0.3): Signal =>
  (seconds) =>
    amplitude * Math.sin(2 * Math.PI * hertz * seconds);

/** A RIFF/WAVE file of 16-bit PCM, made here so that tests need no audio program. */
export function makeWav(options: {
  seconds: number;
  sampleRate?: number;
  channels?: number;
  signal?: Signal;
}): Uint8Array<ArrayBuffer> {
  const { seconds, sampleRate = 16_000, channels = 1, signal = silence } = options;
  const frames = Math.round(seconds * sampleRate);
  const dataBytes = frames * channels * 2;
  const file = Buffer.alloc(44 + dataBytes);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + dataBytes, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * channels * 2, 28);
  file.writeUInt16LE(channels * 2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(dataBytes, 40);
  if (signal !== silence) {
    for (let frame = 0; frame < frames; frame += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        const value = Math.max(-1, Math.min(1, signal(frame / sampleRate, channel)));
        file.writeInt16LE(Math.round(value * 32_767), 44 + (frame * channels + channel) * 2);
      }
    }
  }
  return new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, file.length);
}
