export { type CageOptions, sweepCages } from "./cage.ts";
export { type DecodedAudio, type DecodeOptions, decodeToPcm, PCM_SAMPLE_RATE } from "./decode-to-pcm.ts";
export { type FfmpegPrograms, type FindFfmpegOptions, findFfmpeg } from "./find-ffmpeg.ts";
export { type AudioStream, type ProbedMedia, probeMedia } from "./probe-media.ts";
export { SNIFF_BYTES, type SniffedMedia, sniffMedia } from "./sniff-media.ts";
