/** One line of a panel. */
export interface Series {
  /** PromQL. */
  expr: string;
  /** What the line is called, with labels in double braces. */
  legend: string;
}

export const one = (expr: string, legend = ""): Series[] => [{ expr, legend }];
export const quantiles = (metric: string, by = ""): Series[] =>
  [0.5, 0.95, 0.99].map((q) => ({
    expr: `histogram_quantile(${q}, sum by (le${by && `, ${by}`}) (rate(${metric}_bucket[$__rate_interval])))`,
    legend: `p${q * 100}${by && ` {{${by}}}`}`,
  }));
export const rate = (metric: string, by: string): Series[] =>
  one(`sum by (${by}) (rate(${metric}[$__rate_interval]))`, `{{${by}}}`);
