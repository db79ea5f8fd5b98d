/**
 * The demuxers that a file may be read with. None of them opens another file or address: playlists (hls, dash, concat),
 * image sequences, raw devices, subtitles and module music stay outside.
 */
const ALLOWED_FORMATS = [
  "aac,ac3,eac3,aiff,amr,ape,asf,au,avi,caf,dts,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf",
  "ogg,tak,tta,voc,w64,wav,wv",
].join(",");

/** Decoders of sound only: no picture, subtitle or data of a stranger is ever decoded. */
const ALLOWED_DECODERS = [
  "aac,aac_fixed,aac_latm,ac3,ac3_fixed,eac3,alac,als,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ape,dca,flac",
  "g722,g723_1,g726,g726le,g729,gsm,gsm_ms,libgsm,libgsm_ms,ilbc,libilbc,mlp,truehd,mp1,mp1float,mp2,mp2float,mp3",
  "mp3float,mpc7,mpc8,nellymoser,opus,libopus,qcelp,speex,libspeex,tak,tta,vorbis,libvorbis,wavpack,wmalossless",
  "wmapro,wmav1,wmav2,wmavoice,adpcm_g722,adpcm_g726,adpcm_g726le,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf",
  "adpcm_yamaha,pcm_alaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le",
  "pcm_s16be_planar,pcm_s16le_planar,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_s32be,pcm_s32le,pcm_s32le_planar",
  "pcm_s64be,pcm_s64le,pcm_s8,pcm_s8_planar,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,pcm_u32le,pcm_u8,s302m",
].join(",");

/** Options that stand before the input of ffmpeg and ffprobe alike. */
export const INPUT_WALLS: readonly string[] = [
  ["-protocol_whitelist", "file,pipe"],
  ["-format_whitelist", ALLOWED_FORMATS],
  ["-codec_whitelist", ALLOWED_DECODERS],
  ["-max_streams", "64"],
].flat();

/** Sample rates of real recordings; what lies outside blows up or starves the resampler. */
export const SAMPLE_RATES = { lowest: 4_000, highest: 768_000 };
export const MOST_CHANNELS = 64;
