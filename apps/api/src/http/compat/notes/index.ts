import type { Route } from "../../../openapi/route.ts";
import { notesCreateJob, notesDownload, notesGetJob, notesHealth } from "./jobs.ts";

export const notesRoutes: readonly Route[] = [notesCreateJob, notesGetJob, notesDownload, notesHealth];
