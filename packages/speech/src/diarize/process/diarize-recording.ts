import { dirname } from "node:path";
import { PcmFile } from "../../audio/pcm-file.ts";
import { SpeechDetector } from "../../vad/speech-detector.ts";
import { clusterByVbx } from "../cluster/cluster-by-vbx.ts";
import { readPlda } from "../cluster/plda.ts";
import { diarizeByGaussians } from "../gaussian/diarize-by-gaussians.ts";
import { diarizeByNetworks, trunkRuns } from "../neural/diarize-by-networks.ts";
import { openNetworks } from "../neural/open-networks.ts";
import { speechSpans } from "../speech-spans.ts";
import {
  orderTurns,
  type SampleSource,
  type Span,
  type SpeakerBounds,
  type SpeakerTurn,
  speakerLabel,
} from "../turns.ts";
import type { Diarization, DiarizationMethod, DiarizationRequest } from "./diarization.ts";

const RATE = 16_000;
/** As many as the bundled method tells apart where nobody says how many there are. */
const MOST_SPEAKERS = 8;
const MOST_SPEAKERS_OF_NETWORKS = 50;
/** Pauses of a speaker up to this, in seconds, are part of a turn. */
const CLOSED_PAUSE = 0.8;
/** How far finding speech is of the whole. */
const SHARE_OF_DETECTION = 0.3;

/** Finds who speaks when in a file of samples. `progress` is told the share done, at least every few seconds. */
export async function diarizeRecording(
  request: DiarizationRequest,
  progress: (share: number) => void,
): Promise<Diarization> {
  const pcm = await PcmFile.open(request.pcmPath);
  try {
    progress(0);
    const never = new AbortController().signal;
    const { source, offsetSeconds } = clipOf(pcm, request.clip);
    const { segmentationModel, embeddingModel } = request;
    if (segmentationModel && embeddingModel) {
      const folders = { segmentationModel, embeddingModel };
      return await listenByNetworks(source, folders, request, offsetSeconds, progress);
    }
    const given = request.speech?.map(({ start, end }) => ({ start: start - offsetSeconds, end: end - offsetSeconds }));
    const speech = given ?? (await findSpeech(source, request, never, (share) => progress(SHARE_OF_DETECTION * share)));
    const bounds = boundsOf(request, MOST_SPEAKERS);
    const turns = await diarizeByGaussians(source, speech, bounds, never, {
      progress: (share) => progress(SHARE_OF_DETECTION + (1 - SHARE_OF_DETECTION) * share),
    });
    return describe("gaussian-bic", turns, turns, speech, offsetSeconds);
  } finally {
    await pcm.close();
  }
}

async function listenByNetworks(
  source: SampleSource,
  folders: { segmentationModel: string; embeddingModel: string },
  request: DiarizationRequest,
  offsetSeconds: number,
  progress: (share: number) => void,
): Promise<Diarization> {
  const plda = await readPlda(folders.embeddingModel);
  const { speed = "auto" } = request;
  const networks = await openNetworks(folders, request, trunkRuns(source.sampleCount, speed));
  try {
    const bounds = boundsOf(request, MOST_SPEAKERS_OF_NETWORKS);
    const { turns, exclusive } = await diarizeByNetworks(networks, source, {
      ...bounds,
      speed: speed === "auto" ? (networks.onGpu ? "exact" : "fast") : speed,
      progress,
      scratchFolder: dirname(request.pcmPath),
      ...(plda && { cluster: clusterByVbx(plda) }),
    });
    return describe(plda ? "pyannote-community-1" : "pyannote-3.1", turns, exclusive, turns, offsetSeconds);
  } finally {
    await networks.close();
  }
}

function boundsOf({ minSpeakers, maxSpeakers }: DiarizationRequest, most: number): SpeakerBounds {
  const least = Math.max(1, minSpeakers ?? 1);
  return { minSpeakers: least, maxSpeakers: Math.max(least, maxSpeakers ?? most) };
}

function describe(
  method: DiarizationMethod,
  turns: readonly SpeakerTurn[],
  exclusive: readonly SpeakerTurn[],
  speech: readonly Span[],
  offsetSeconds: number,
): Diarization {
  const label = labelTurn(offsetSeconds);
  const ordered = orderTurns(turns, CLOSED_PAUSE).map(label);
  return {
    method,
    speakers: [...new Set(ordered.map(({ speaker }) => speaker))],
    turns: ordered,
    exclusiveTurns: turns === exclusive ? ordered : orderTurns(exclusive, CLOSED_PAUSE).map(label),
    speechSeconds: inMilliseconds(speech.reduce((sum, { start, end }) => sum + end - start, 0)),
  };
}

const inMilliseconds = (seconds: number) => Math.round(seconds * 1000) / 1000;

const labelTurn =
  (offsetSeconds: number) =>
  ({ start, end, speaker }: SpeakerTurn) => ({
    start: inMilliseconds(start + offsetSeconds),
    end: inMilliseconds(end + offsetSeconds),
    speaker: speakerLabel(speaker),
  });

/** The samples of the part that is asked for, and where it begins. */
function clipOf(pcm: PcmFile, clip: DiarizationRequest["clip"]): { source: SampleSource; offsetSeconds: number } {
  const from = Math.min(pcm.sampleCount, Math.round((clip?.start ?? 0) * RATE));
  const to = Math.min(pcm.sampleCount, Math.round((clip?.end ?? Number.POSITIVE_INFINITY) * RATE));
  const sampleCount = Math.max(0, to - from);
  return {
    source: {
      sampleCount,
      read: (start, count, into) => pcm.read(from + start, Math.min(count, sampleCount - start), into),
    },
    offsetSeconds: from / RATE,
  };
}

async function findSpeech(
  pcm: SampleSource,
  { intraOpThreads }: DiarizationRequest,
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<Span[]> {
  const detector = await SpeechDetector.open(intraOpThreads);
  try {
    let runs = 0;
    const probabilities = await detector.probabilities(pcm, 0, pcm.sampleCount, signal, () => {
      runs += 500 * 512;
      progress(Math.min(1, runs / pcm.sampleCount));
    });
    return speechSpans(probabilities, pcm.sampleCount / RATE);
  } finally {
    await detector.close();
  }
}
