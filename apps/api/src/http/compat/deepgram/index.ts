import type { Route } from "../../../openapi/route.ts";
import { deepgramListen } from "./listen.ts";

export const deepgramRoutes: readonly Route[] = [deepgramListen];
