export { type CageOptions, sweepCages } from "./cage.ts";
export { LEVEL_FRAME_SECONDS, LEVEL_STEPS, type MeasuredChannels } from "./channels/measure-channels.ts";
export { separateChannels } from "./channels/separate-channels.ts";
export { type DecodedAudio, type DecodeOptions, decodeToPcm, PCM_SAMPLE_RATE } from "./decode-to-pcm.ts";
export { encodeFlac, type SampleRange } from "./encode-flac.ts";
export { type FfmpegPrograms, type FindFfmpegOptions, findFfmpeg } from "./find-ffmpeg.ts";
export { type AudioStream, type ProbedMedia, probeMedia } from "./probe-media.ts";
export { SNIFF_BYTES, type SniffedMedia, sniffMedia } from "./sniff-media.ts";
