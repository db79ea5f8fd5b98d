import express, { type Express } from "express";
import helmet from "helmet";
import type { Api } from "./api.ts";
import { allowOrigins } from "./http/middleware/allow-origins.ts";
import { authenticate, requireScope } from "./http/middleware/authenticate.ts";
import { closeWhileDraining } from "./http/middleware/close-while-draining.ts";
import { discardLeftovers } from "./http/middleware/discard-leftovers.ts";
import { limitRequests } from "./http/middleware/limit-requests.ts";
import { logRequests } from "./http/middleware/log-requests.ts";
import { refuseLongUrls } from "./http/middleware/refuse-long-urls.ts";
import { renderProblem } from "./http/middleware/render-problem.ts";
import { requestId } from "./http/middleware/request-id.ts";
import { traceRequests } from "./http/middleware/trace-requests.ts";
import { mountRoutes } from "./http/mount-routes.ts";
import { routes } from "./http/routes.ts";

/** The Express app: what every request goes through, then the routes, each behind its guards, then the problems. */
export function createApp(api: Api): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  // Each route reads its own query, so that nothing is turned into lists and objects on the way.
  app.set("query parser", false);
  app.set("trust proxy", readTrustProxy(api.config.http.TRUST_PROXY));

  const everyRequest = [
    requestId(),
    traceRequests(api.tracer),
    logRequests(api.log, api.metrics),
    // What we answer is data, never a page; the one page there is brings a policy of its own.
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    }),
    allowOrigins(api.config.http.CORS_ORIGINS),
    discardLeftovers(),
    closeWhileDraining(api.lifecycle),
    limitRequests(api),
    refuseLongUrls(api.config.limits.MAX_URL_LENGTH),
  ];
  const guards = [authenticate, requireScope];

  app.use(...everyRequest);
  mountRoutes(app, api, routes, guards);
  app.use(renderProblem());
  return app;
}

/** `false`, a number of hops, or addresses. */
function readTrustProxy(text: string): boolean | number | string[] {
  if (text === "false") return false;
  return /^\d+$/.test(text) ? Number(text) : text.split(",").map((address) => address.trim());
}
