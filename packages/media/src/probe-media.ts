import { stat } from "node:fs/promises";
import { JobError } from "@scribe/domain";
import { INPUT_WALLS } from "./allowed-formats.ts";
import { CAGED_INPUT, type CageOptions, runCaged } from "./cage.ts";
import { explainFailure } from "./explain-failure.ts";

export interface AudioStream {
  /** Among all streams of the file. */
  readonly index: number;
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly channelLayout?: string;
  /** ISO 639, as the file says. */
  readonly language?: string;
  /** What the file says of this stream. */
  readonly durationSeconds?: number;
}

export interface ProbedMedia {
  readonly container: string;
  /** What the file says of itself; absent where it says nothing, and not to be trusted. */
  readonly durationSeconds?: number;
  readonly audioStreams: readonly AudioStream[];
  /** A moving picture; cover art is none. */
  readonly hasVideo: boolean;
  /** How long before the moment that ffmpeg counts from, here, the picture begins. */
  readonly leadSeconds: number;
}

const PROBE_TIMEOUT_MS = 60_000;
const REPORT_BYTES = 1024 * 1024;
const ENTRIES = [
  "format=format_name,duration,start_time",
  "stream=index,codec_type,codec_name,sample_rate,channels,channel_layout,duration,start_time",
  "stream_disposition=attached_pic",
  "stream_tags=language",
  "packet=pts_time",
].join(":");
/** So many packets tell when a file begins. */
const FIRST_PACKETS = ["-show_packets", "-read_intervals", "%+#64"];
/** A later start is taken for broken timestamps. */
const LONGEST_LEAD_SECONDS = 600;

/** What is in a file, by its content alone. Throws `unsupported_audio` where it is no media, and `timeout`. */
export async function probeMedia(path: string, options: CageOptions): Promise<ProbedMedia> {
  if ((await stat(path)).size === 0) throw new JobError("unsupported_audio", "The file is empty.");
  // ffprobe gives up where it may not open a decoder of each stream. This opens those of pictures, but the walls before
  // it hold for every packet: nothing is sent to them.
  const openOthers = ["v", "s"].flatMap((kind) => [`-codec_whitelist:${kind}`, options.programs.otherDecoders]);
  const args = [
    "-v",
    "error",
    ...INPUT_WALLS,
    ...openOthers,
    ...FIRST_PACKETS,
    "-show_entries",
    ENTRIES,
    "-of",
    "json",
    "-i",
    CAGED_INPUT,
  ];
  const pieces: Buffer[] = [];
  let bytes = 0;
  const run = await runCaged("ffprobe", path, args, { timeoutMs: PROBE_TIMEOUT_MS, ...options }, (chunk) => {
    pieces.push(chunk);
    bytes += chunk.length;
    if (bytes > REPORT_BYTES) throw new JobError("unsupported_audio", "The file describes itself at too great length.");
  });
  if (run.exitCode !== 0) throw explainFailure(run);
  return readReport(JSON.parse(Buffer.concat(pieces).toString("utf8")) as Report);
}

interface Report {
  format?: { format_name?: string; duration?: string; start_time?: string };
  packets?: { pts_time?: string }[];
  streams?: {
    index: number;
    codec_type?: string;
    codec_name?: string;
    sample_rate?: string;
    channels?: number;
    channel_layout?: string;
    duration?: string;
    start_time?: string;
    disposition?: { attached_pic?: number };
    tags?: { language?: string };
  }[];
}

function readReport(report: Report): ProbedMedia {
  const { format, streams = [] } = report;
  const audioStreams = streams
    .filter(({ codec_type }) => codec_type === "audio")
    .map((stream): AudioStream => {
      const { index, channel_layout: layout, tags } = stream;
      return {
        index,
        codec: stream.codec_name ?? "unknown",
        sampleRate: Number(stream.sample_rate ?? 0),
        channels: stream.channels ?? 0,
        ...(layout && layout !== "unknown" ? { channelLayout: layout } : {}),
        ...(tags?.language && /^[a-z]{2,3}$/.test(tags.language) ? { language: tags.language } : {}),
        ...duration(stream.duration),
      };
    });
  const hasVideo = streams.some((stream) => stream.codec_type === "video" && stream.disposition?.attached_pic !== 1);
  const leadSeconds = hasVideo ? leadOf(report) : 0;
  return {
    container: format?.format_name ?? "unknown",
    ...duration(format?.duration),
    audioStreams,
    hasVideo,
    leadSeconds,
  };
}

/**
 * Pictures are not decoded here, and without that ffmpeg may not know when they begin: it then counts from the first
 * sound (as it always does in containers whose timestamps may jump). The packets know.
 */
function leadOf({ format, streams = [], packets = [] }: Report): number {
  const times = packets.map(({ pts_time }) => Number(pts_time)).filter(Number.isFinite);
  const sound = streams.find(({ codec_type }) => codec_type === "audio");
  const jumps = /^(?:mpegts|mpeg|ogg)$/.test(format?.format_name ?? "");
  const lead = Number((jumps ? sound : format)?.start_time) - Math.min(...times);
  return lead > 0 && lead <= LONGEST_LEAD_SECONDS ? lead : 0;
}

function duration(text: string | undefined): { durationSeconds?: number } {
  const durationSeconds = Number(text);
  return durationSeconds > 0 && Number.isFinite(durationSeconds) ? { durationSeconds } : {};
}
