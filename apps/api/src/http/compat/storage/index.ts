import type { Route } from "../../../openapi/route.ts";
import { storageCreateJob, storageGetJob } from "./jobs.ts";
import { storageCleanup, storageStats } from "./operate.ts";

export const storageRoutes: readonly Route[] = [storageCreateJob, storageGetJob, storageStats, storageCleanup];
