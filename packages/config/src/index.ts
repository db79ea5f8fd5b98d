export { WORKER_ROLES } from "./concerns/jobs.ts";
export { configTable, envExample } from "./describe-config.ts";
export { CONCERNS, type Config, ConfigError, readConfig } from "./read-config.ts";
