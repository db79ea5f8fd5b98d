import type { Dashboard } from "./render-dashboard.ts";
import { one, rate } from "./series.ts";

/** Whether receivers hear in time. */
export const WEBHOOKS: Dashboard = {
  uid: "scribe-webhooks",
  title: "Scribe: webhooks",
  panels: [
    {
      title: "Due and not sent",
      what: "Deliveries",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_queue_depth{queue="webhooks"})'),
    },
    {
      title: "Oldest due",
      what: "For how long",
      unit: "s",
      kind: "stat",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="webhooks"})'),
    },
    {
      title: "Success",
      what: "Share of tries that were delivered",
      unit: "percentunit",
      kind: "stat",
      series: one(
        'sum(rate(scribe_worker_deliveries_total{outcome="delivered"}[10m])) / sum(rate(scribe_worker_deliveries_total[10m]))',
      ),
    },
    {
      title: "Senders",
      what: "Live workers with the role",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_workers{role="webhooks"})'),
    },
    { title: "Tries", what: "By outcome", unit: "reqps", series: rate("scribe_worker_deliveries_total", "outcome") },
    {
      title: "Age when delivered",
      what: "From the event to the receiver's 2xx",
      unit: "s",
      series: [0.5, 0.95, 0.99].map((q) => ({
        expr: `histogram_quantile(${q}, sum by (le) (rate(scribe_worker_delivery_age_seconds_bucket{outcome="delivered"}[$__rate_interval])))`,
        legend: `p${q * 100}`,
      })),
    },
    {
      title: "Age by outcome",
      what: "95th percentile",
      unit: "s",
      series: one(
        "histogram_quantile(0.95, sum by (le, outcome) (rate(scribe_worker_delivery_age_seconds_bucket[$__rate_interval])))",
        "{{outcome}}",
      ),
    },
    {
      title: "Wait",
      what: "Of the oldest that is due",
      unit: "s",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="webhooks"})', "oldest"),
    },
  ],
};
