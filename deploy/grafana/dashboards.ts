import { ENHANCEMENT } from "./enhancement.ts";
import { renderDashboard } from "./render-dashboard.ts";
import { SERVICE } from "./service.ts";
import { WEBHOOKS } from "./webhooks.ts";
import { WORKERS } from "./workers.ts";

/** Text of each JSON file of this folder, by its name, as `npm run generate` writes them. Import those into Grafana. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    [SERVICE, WORKERS, ENHANCEMENT, WEBHOOKS].map((dashboard) => [
      `${dashboard.uid.replace("scribe-", "")}.json`,
      `${JSON.stringify(renderDashboard(dashboard), null, 2)}\n`,
    ]),
  );
}
