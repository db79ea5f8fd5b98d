import type { InferenceSession } from "onnxruntime-node";
import { openSession, type SessionSettings } from "./open-session.ts";

/** A graph that is opened when it is first run: one that nobody needs takes no memory. */
export class LazySession {
  readonly #path: string;
  readonly #settings: SessionSettings;
  readonly #options: InferenceSession.SessionOptions;
  #opening: Promise<InferenceSession> | undefined;

  constructor(path: string, settings: SessionSettings, options: InferenceSession.SessionOptions = {}) {
    this.#path = path;
    this.#settings = settings;
    this.#options = options;
  }

  /** Opens it now; throws as `openSession` does, and may be asked again then. */
  open(): Promise<InferenceSession> {
    this.#opening ??= openSession(this.#path, this.#settings, this.#options).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async run(feeds: InferenceSession.FeedsType, fetches?: readonly string[]): Promise<InferenceSession.ReturnType> {
    const session = await this.open();
    return fetches ? session.run(feeds, fetches) : session.run(feeds);
  }

  /** Gives back what was opened. */
  async release(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await (await opening)?.release();
  }
}
