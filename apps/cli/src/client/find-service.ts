import { join, resolve } from "node:path";
import { readConfig } from "@scribe/config";
import { WrongUsage } from "../exit.ts";
import { readSecret } from "../stack/keep-secret.ts";
import { runningStack } from "../stack/running-stack.ts";

export interface ServiceOptions {
  url?: string;
  key?: string;
}

/** The service that the options name, else the one that runs on this machine. */
export function findService({ url, key }: ServiceOptions): { url: string; key: string } {
  const dataDir = resolve(readConfig(process.env).config.data.SCRIBE_DATA_DIR);
  const address = url ?? runningStack(dataDir)?.url;
  const secret = key ?? readSecret(join(dataDir, "local-key"));
  if (address === undefined)
    throw new WrongUsage("No service runs here: start one with `npm start`, or name one with --url.");
  if (secret === null) throw new WrongUsage("A key is needed: --key sr_… (`npm run keys -- create` makes one).");
  return { url: address.replace(/\/$/, ""), key: secret };
}
