import type { Dashboard } from "./render-dashboard.ts";
import { one, rate } from "./series.ts";

/** Whether the language model keeps up with what it is asked. */
export const ENHANCEMENT: Dashboard = {
  uid: "scribe-enhancement",
  title: "Scribe: enhancement",
  panels: [
    {
      title: "Due and not begun",
      what: "Enhancements",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_queue_depth{queue="enhancement"})'),
    },
    {
      title: "Oldest due",
      what: "For how long",
      unit: "s",
      kind: "stat",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="enhancement"})'),
    },
    {
      title: "Success",
      what: "Share of attempts that completed",
      unit: "percentunit",
      kind: "stat",
      series: one(
        'sum(rate(scribe_worker_enhancements_total{outcome="completed"}[10m])) / sum(rate(scribe_worker_enhancements_total{outcome=~"completed|retry|failed"}[10m]))',
      ),
    },
    {
      title: "Workers",
      what: "That ask",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_workers{role="enhancement"})'),
    },
    {
      title: "Attempts",
      what: "By outcome",
      unit: "reqps",
      series: rate("scribe_worker_enhancements_total", "outcome"),
    },
    {
      title: "Time",
      what: "Of nine attempts in ten, by outcome",
      unit: "s",
      series: one(
        "histogram_quantile(0.9, sum by (le, outcome) (rate(scribe_worker_enhancement_seconds_bucket[$__rate_interval])))",
        "p90 {{outcome}}",
      ),
    },
    {
      title: "Questions",
      what: "That were answered as they should",
      unit: "reqps",
      series: one("sum(rate(scribe_worker_enhancement_questions_total[$__rate_interval]))", "questions"),
    },
    {
      title: "Tokens",
      what: "A second, as the endpoint counts them",
      unit: "short",
      series: rate("scribe_worker_enhancement_tokens_total", "kind"),
    },
    {
      title: "Wait",
      what: "Of the oldest that is due",
      unit: "s",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="enhancement"})', "oldest"),
    },
  ],
};
