import { RequestError } from "@scribe/domain";
import type { Express, RequestHandler } from "express";
import type { Api } from "../api.ts";
import { expressPath, type Guard, type Route } from "../openapi/route.ts";
import { inTodaysWords } from "./compat/profile.ts";
import { parseQuery } from "./middleware/parse-query.ts";
import { readJson } from "./middleware/read-json.ts";
import { requireAccounts } from "./middleware/require-accounts.ts";

/**
 * Mounts routes on Express: for each its guards in order (none for a route without a scope), then query and body by its
 * schemas, then its handler. A known path with another method is 405 and says which there are.
 */
export function mountRoutes(app: Express, api: Api, routes: readonly Route[], guards: readonly Guard[]): void {
  for (const [path, sharing] of Map.groupBy(routes, (route) => route.path)) {
    const place = app.route(expressPath(path));
    for (const route of sharing) {
      const before = [
        ...(route.accounts ? [requireAccounts(api, route)] : []),
        ...(route.scope === null ? [] : guards.map((guard) => guard(api, route))),
      ];
      place[route.method](nameRoute(route), ...before, run(api, route));
    }
    place.all(refuseMethod(sharing));
  }
  app.use(() => {
    throw new RequestError("not_found", "There is no such path.");
  });
}

function nameRoute({ path, operationId }: Route): RequestHandler {
  return (_request, response, next) => {
    response.locals.route = path;
    response.locals.operation = operationId;
    next();
  };
}

function run(api: Api, route: Route): RequestHandler {
  const handle = route.handle(api);
  const limits = { maxBytes: api.config.limits.MAX_BODY_BYTES, waitMs: api.waits.bodyMs };
  return async (request, response) => {
    const query = parseQuery(route, request);
    const adapt = (input: unknown) => inTodaysWords(response, input);
    const body =
      route.body?.kind === "json" ? await readJson(request, route.body.schema, { ...limits, adapt }) : undefined;
    const params = request.params as Record<string, string>;
    await handle({ request, response, caller: response.locals.caller, params, query, body });
  };
}

function refuseMethod(sharing: readonly Route[]): RequestHandler {
  const methods = sharing.flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]));
  const allow = [...methods, "OPTIONS"].join(", ");
  return (request, response) => {
    if (request.method === "OPTIONS") {
      response.setHeader("Allow", allow);
      response.status(204).end();
      return;
    }
    throw new RequestError("invalid_request", `This path knows ${allow}.`, { status: 405, headers: { Allow: allow } });
  };
}
