export interface Scrape {
  /** Type by the metric's name. */
  types: Map<string, string>;
  /** Value by name and labels, as the line has them. */
  samples: Map<string, number>;
}

/** Reads Prometheus' text format, as far as our processes write it. */
export function readSamples(text: string): Scrape {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const type = line.match(/^# TYPE (\S+) (\S+)$/);
    if (type) types.set(type[1]!, type[2]!);
    const sample = line.match(/^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/);
    if (sample) samples.set(sample[1]!, Number(sample[2]));
  }
  return { types, samples };
}

/** The metric that a sample belongs to: a histogram's buckets, sum and count are one. */
export function metricOf(sample: string, types: ReadonlyMap<string, string>): string {
  const name = sample.replace(/\{.*$/, "");
  const base = name.replace(/_(bucket|sum|count)$/, "");
  return types.get(base) === "histogram" ? base : name;
}
