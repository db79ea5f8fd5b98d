import { LogMel } from "../features/log-mel.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { nameOfComputation } from "./computation.ts";
import type { DecoderBatch } from "./decoder-batch.ts";
import type { OpenedModel } from "./open-whisper-model.ts";
import type { DecoderState, EncodedAudio, WhisperModel } from "./whisper-model.ts";

/** A batch's provider failed, and the model has been opened with another: what was being decoded begins again. */
export class ProviderChanged extends Error {
  override readonly name = "ProviderChanged";
}

type LastingAudio = EncodedAudio & { mel: Float32Array; of: WhisperModel; held: EncodedAudio };

/** Opens the model with the providers that come after the failed one; throws where there is none. */
type Reopen = (failed: string, error: Error) => Promise<OpenedModel>;

/**
 * A model that outlives its provider: a run that throws on another provider than the processor has the model opened with
 * the next one that works. What is known of a window is its features, so windows are encoded again when they are next
 * asked for; a batch says `ProviderChanged`, for its rows are gone.
 */
export class ModelWithFallback implements WhisperModel {
  readonly #folder: ModelFolder;
  readonly #reopen: Reopen;
  #opened: OpenedModel;
  features?: (samples: Float32Array, batch: number) => Promise<Float32Array>;

  constructor(folder: ModelFolder, opened: OpenedModel, reopen: Reopen) {
    this.#folder = folder;
    this.#opened = opened;
    this.#reopen = reopen;
    if (opened.network.features) this.features = (samples, batch) => this.#features(samples, batch);
  }

  get maxBatch(): number {
    return this.#opened.network.maxBatch;
  }

  get canAlign(): boolean {
    return this.#opened.network.canAlign;
  }

  /** How the model is computed now, on one line. */
  get computation(): string {
    return nameOfComputation(this.#opened.computation);
  }

  async encode(mel: Float32Array, batch: number): Promise<LastingAudio> {
    const { network, encoded } = await this.#run(async (network) => ({
      network,
      encoded: await network.encode(mel, batch),
    }));
    return { batch, mel, of: network, held: encoded, release: releaseHeld };
  }

  prefill(...[audio, ...rest]: Parameters<WhisperModel["prefill"]>): ReturnType<WhisperModel["prefill"]> {
    return this.#run(async (network) => network.prefill(await audioOn(network, audio), ...rest));
  }

  step(state: DecoderState, tokens: readonly number[]): Promise<Float32Array> {
    return this.#opened.network.step(state, tokens);
  }

  align(...[audio, ...rest]: Parameters<WhisperModel["align"]>): ReturnType<WhisperModel["align"]> {
    return this.#run(async (network) => network.align(await audioOn(network, audio), ...rest));
  }

  newBatch(): DecoderBatch {
    const { network } = this.#opened;
    const batch = network.newBatch();
    const run = async <Result>(act: () => Promise<Result>): Promise<Result> => {
      if (network !== this.#opened.network) throw new ProviderChanged("the batch's provider failed");
      try {
        return await act();
      } catch (error) {
        await this.#fallBack(error);
        throw new ProviderChanged("the batch's provider failed", { cause: error });
      }
    };
    const advance = batch.advance?.bind(batch);
    const decodeWhole = batch.decodeWhole?.bind(batch);
    const onNetwork = <Joining extends { audio: EncodedAudio }>(joining: readonly Joining[]) =>
      Promise.all(joining.map(async (one) => ({ ...one, audio: await audioOn(network, one.audio) })));
    return {
      get rows() {
        return batch.rows;
      },
      join: (joining) => run(async () => batch.join(await onNetwork(joining))),
      begin: (row, token) => batch.begin(row, token),
      step: () => run(() => batch.step()),
      ...(advance && { advance: (rounds) => run(() => advance(rounds)) }),
      ...(decodeWhole && { decodeWhole: (windows) => run(async () => decodeWhole(await onNetwork(windows))) }),
      leave: (row) => batch.leave(row),
      reorder: (from) => batch.reorder(from),
    };
  }

  close(): Promise<void> {
    return this.#opened.network.close();
  }

  async #features(samples: Float32Array, batch: number): Promise<Float32Array> {
    return this.#run(async (network) => {
      if (network.features) return network.features(samples, batch);
      const { features: settings, windowFrames } = this.#folder;
      return new LogMel(settings).window(samples, windowFrames);
    });
  }

  async #run<Result>(act: (network: WhisperModel) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await act(this.#opened.network);
      } catch (error) {
        await this.#fallBack(error);
      }
    }
  }

  /** Opens the model with the next provider; throws `error` where that is not to blame, or there is no other. */
  async #fallBack(error: unknown): Promise<void> {
    const { network, computation } = this.#opened;
    // What we say ourselves, and want of memory, come of what was asked for.
    const toBlame = !(error instanceof SpeechError) && asSpeechError(error).code === "internal";
    if (computation.provider === "cpu" || !toBlame) throw error;
    this.#opened = await this.#reopen(computation.provider, error as Error).catch(() => {
      throw error;
    });
    // A device that is lost need not let go of its sessions.
    await network.close().catch(() => {});
  }
}

function releaseHeld(this: LastingAudio) {
  this.held.release();
}

/** A window's encoded audio on a network: encoded again where another one did it. */
async function audioOn(network: WhisperModel, audio: EncodedAudio): Promise<EncodedAudio> {
  const own = audio as LastingAudio;
  if (own.of !== network) {
    own.held = await network.encode(own.mel, own.batch);
    own.of = network;
  }
  return own.held;
}
