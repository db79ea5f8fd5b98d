import type { Route } from "../../../openapi/route.ts";
import { saasLogin, saasMe, saasRegister } from "./auth.ts";
import { saasComplete, saasPresign, saasUpload } from "./files.ts";
import { saasCreateJob, saasDownload, saasGetJob, saasListJobs } from "./jobs.ts";

export const saasRoutes: readonly Route[] = [
  ...[saasRegister, saasLogin, saasMe],
  ...[saasPresign, saasUpload, saasComplete],
  ...[saasCreateJob, saasListJobs, saasGetJob, saasDownload],
];
