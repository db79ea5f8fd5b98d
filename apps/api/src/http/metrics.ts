import { defineRoute } from "../openapi/route.ts";

export const metrics = defineRoute({
  method: "get",
  path: "/metrics",
  operationId: "metrics",
  summary: "Measurements of this process, for Prometheus",
  description: "Without a key on the port that `METRICS_PORT` names.",
  tag: "Operation",
  scope: "admin",
  answers: { 200: { description: "Prometheus' text format", content: { "text/plain": null } } },
  handle:
    ({ metrics: { registry } }) =>
    async ({ response }) => {
      const text = await registry.metrics();
      response.setHeader("Content-Type", registry.contentType);
      response.setHeader("Cache-Control", "no-store");
      response.end(text);
    },
});
