import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type LabelsOf, METRICS, type MetricDefinition, type MetricName, type NamesOf } from "./catalogue.ts";

/** Called before each scrape; what it waits for delays the scrape. */
type Collect<M> = (this: M) => void | Promise<void>;

/** A counter of the catalogue. One without labels begins at 0, so that a rise from nothing is seen. */
export function counter<N extends NamesOf<"counter">>(
  registry: Registry,
  name: N,
  collect?: Collect<Counter<LabelsOf<N>>>,
): Counter<LabelsOf<N>> {
  return new Counter({ ...common(registry, name), ...(collect && { collect }) });
}

export function gauge<N extends NamesOf<"gauge">>(
  registry: Registry,
  name: N,
  collect?: Collect<Gauge<LabelsOf<N>>>,
): Gauge<LabelsOf<N>> {
  return new Gauge({ ...common(registry, name), ...(collect && { collect }) });
}

export function histogram<N extends NamesOf<"histogram">>(registry: Registry, name: N): Histogram<LabelsOf<N>> {
  const { buckets } = METRICS[name] as MetricDefinition;
  return new Histogram({ ...common(registry, name), ...(buckets && { buckets: [...buckets] }) });
}

function common<N extends MetricName>(registry: Registry, name: N) {
  const { help, labels } = METRICS[name] as MetricDefinition;
  return { name, help, labelNames: [...labels] as LabelsOf<N>[], registers: [registry] };
}
