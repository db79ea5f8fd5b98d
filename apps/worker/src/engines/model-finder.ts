import { existsSync } from "node:fs";
import { fetchModel, type Hub } from "@scribe/speech";
import type { Logger } from "@scribe/telemetry";
import { findModel, hubModel, type ModelPlaces, offeredEntry } from "./find-model.ts";

export interface ModelFinder {
  /** Folder of a model, at once where it is here; a promise where it has to be fetched first. */
  find(name: string): string | Promise<string>;
  /** Begins to fetch what is offered and not here. */
  fetchOffered(): void;
  close(): void;
}

const TELL_EVERY_MS = 10_000;

/** Finds models among the folders here, and on the hub. Whoever asks for one that is being fetched waits for the same fetch. */
export function createModelFinder(places: ModelPlaces, hub: Hub, log: Logger): ModelFinder {
  const closing = new AbortController();
  const underWay = new Map<string, Promise<string>>();

  function find(name: string): string | Promise<string> {
    const entry = offeredEntry(name, places.offered);
    const id = hubModel(entry, places);
    const folder = findModel(name, places);
    if (id === null || existsSync(folder)) return folder;
    const before = underWay.get(entry);
    if (before) return before;
    const fetching = fetchModel(id, {
      hub,
      files: places.files ?? {},
      signal: closing.signal,
      onProgress: tellProgress(log, entry),
      onWait: () => log.info({ model: entry }, "another process fetches the model"),
    });
    underWay.set(entry, fetching);
    // A failure is of the moment; whoever asks next tries again.
    fetching.catch(() => underWay.delete(entry));
    return fetching;
  }

  return {
    find,
    fetchOffered() {
      for (const entry of places.offered) {
        Promise.resolve(find(entry)).catch((err: unknown) => {
          if (!closing.signal.aborted) log.warn({ err, model: entry }, "a model that is offered could not be fetched");
        });
      }
    },
    close: () => closing.abort(new Error("The worker is shutting down.")),
  };
}

function tellProgress(log: Logger, model: string) {
  let next = Date.now() + TELL_EVERY_MS;
  return ({ bytes, totalBytes }: { bytes: number; totalBytes: number }) => {
    if (Date.now() < next && bytes < totalBytes) return;
    next = Date.now() + TELL_EVERY_MS;
    const percent = Math.floor((100 * bytes) / totalBytes);
    log.info({ model, percent, megabytes: Math.round(totalBytes / 1e6) }, "fetching a model");
  };
}
