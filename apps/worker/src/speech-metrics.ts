import { readFile } from "node:fs/promises";
import type { Engine } from "@scribe/domain";
import type { BatchRuns, ChildExit, ProviderFallback, SpeechRuntime } from "@scribe/speech";
import { collectTogether, counter, gauge, histogram, type Registry } from "@scribe/telemetry";

/** Pages of Linux on every machine that we support. */
const PAGE_BYTES = 4096;

/** Shows the speech process: its starts and deaths, its memory, and the models that it holds. */
export function showSpeech(registry: Registry, runtime: SpeechRuntime, engine: Pick<Engine, "loadedModels">): void {
  const deaths = counter(registry, "scribe_worker_speech_deaths_total");
  let before = new Set<string>();
  let startsShown = 0;

  const look = collectTogether(async () => {
    const { childStarts, pid } = runtime.health();
    starts.inc(childStarts - startsShown);
    startsShown = childStarts;
    memory.set(pid === undefined ? 0 : await residentBytes(pid));
    const now = new Set(engine.loadedModels());
    loaded.reset();
    for (const model of now) {
      loaded.set({ model }, 1);
      if (!before.has(model)) loads.inc({ model });
    }
    before = now;
  });
  const starts = counter(registry, "scribe_worker_speech_starts_total", look);
  const loads = counter(registry, "scribe_worker_model_loads_total", look);
  const memory = gauge(registry, "scribe_worker_speech_resident_memory_bytes", look);
  const loaded = gauge(registry, "scribe_worker_models_loaded", look);

  runtime.on("child-exit", ({ requests }: ChildExit) => {
    before = new Set();
    if (requests.length > 0) deaths.inc();
  });
}

/** Shows how full the batches are that jobs share; call what it gives with each account of runs. */
export function showBatches(registry: Registry): (runs: BatchRuns) => void {
  const occupancy = histogram(registry, "scribe_worker_batch_occupancy");
  return (runs) => {
    for (const [share, count] of runs) for (let run = 0; run < count; run++) occupancy.observe(share);
  };
}

/** Shows where a model runs on another provider than it should; call what it gives with each fallback. */
export function showFallbacks(registry: Registry): (fallback: ProviderFallback) => void {
  const fallbacks = counter(registry, "scribe_worker_provider_fallbacks_total");
  return ({ from, to, when }) => fallbacks.inc({ from, to, when });
}

async function residentBytes(pid: number): Promise<number> {
  try {
    const [, pages] = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ");
    return Number(pages) * PAGE_BYTES;
  } catch {
    // It has just ended, or this is no Linux.
    return 0;
  }
}
