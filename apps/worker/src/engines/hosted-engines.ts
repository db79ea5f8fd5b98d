import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config } from "@scribe/config";
import type { Database } from "@scribe/database";
import type { PcmAudio, Provider } from "@scribe/domain";
import { createAssemblyaiEngine } from "@scribe/engine-assemblyai";
import { createOpenaiEngine } from "@scribe/engine-openai";
import { encodeFlac, type FfmpegPrograms, type SampleRange } from "@scribe/media";
import type { OutboundClient, OutboundPolicy } from "@scribe/outbound";
import type { FittedEngine } from "../attempt.ts";
import { providerAccess } from "./provider-access.ts";
import { createProviderTransport } from "./provider-transport.ts";

export interface HostedEnginesOptions {
  config: Pick<Config, "providers">;
  db: Database;
  outbound: OutboundClient;
  policy: OutboundPolicy;
  programs: FfmpegPrograms;
  /** Tests do not wait as long as people. */
  paces?: { chunkSeconds?: number; pollMs?: number; maxRetries?: number };
}

/** The engines that ask somebody else, fitted to the guarded client, the encoder, and the keys. */
export function openHostedEngines(options: HostedEnginesOptions): {
  engines: Map<Provider, FittedEngine>;
  close(): Promise<void>;
} {
  const { config, db, outbound, policy, programs, paces = {} } = options;
  const timeoutMs = config.providers.PROVIDER_TIMEOUT_SECONDS * 1000;
  const { fetchFor, close } = createProviderTransport({ outbound, policy, idleTimeoutMs: timeoutMs });

  const encode = (audio: PcmAudio, range: SampleRange, signal: AbortSignal, take: (chunk: Buffer) => unknown) =>
    encodeFlac(audio.path, range, { programs, signal, temporaryFolder: dirname(audio.path) }, async (chunk) => {
      await take(chunk);
    });

  const openai = createOpenaiEngine({
    fetchFor,
    timeoutMs,
    ...(paces.chunkSeconds === undefined ? {} : { chunkSeconds: paces.chunkSeconds }),
    ...(paces.maxRetries === undefined ? {} : { maxRetries: paces.maxRetries }),
    encode: async (audio, range, signal) => {
      const pieces: Buffer[] = [];
      await encode(audio, range, signal, (chunk) => pieces.push(chunk));
      return Buffer.concat(pieces);
    },
  });
  const assemblyai = createAssemblyaiEngine({
    fetchFor,
    timeoutMs,
    ...(paces.pollMs === undefined ? {} : { pollMs: paces.pollMs }),
    encode: async (audio, range, outPath, signal) => {
      const file = await open(outPath, "w", 0o640);
      try {
        await encode(audio, range, signal, (chunk) => file.appendFile(chunk));
      } finally {
        await file.close();
      }
    },
  });
  const accessFor =
    (provider: Provider): FittedEngine["accessFor"] =>
    (job) =>
      providerAccess({ db, config }, provider, job);
  return {
    engines: new Map<Provider, FittedEngine>([
      ["openai", { engine: openai, accessFor: accessFor("openai") }],
      ["assemblyai", { engine: assemblyai, accessFor: accessFor("assemblyai"), tellsSpeakers: true }],
    ]),
    close,
  };
}
