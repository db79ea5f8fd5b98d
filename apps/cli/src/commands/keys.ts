import { createKey, type Database, ensureTenant, type KeyRow, listKeys, revokeKey } from "@scribe/database";
import { SCOPES, type Scope } from "@scribe/domain";
import type { Command } from "commander";
import { WrongUsage } from "../exit.ts";
import { printTable } from "../print-table.ts";
import { DEFAULT_TENANT } from "../stack/first-key.ts";
import { withDatabase } from "./command-database.ts";
import { readExpiry } from "./read-expiry.ts";

const HELP = `
Scopes:
  transcribe   create, cancel and erase jobs (implies read)
  read         look at the own tenant's jobs
  manage       the own tenant's keys and webhook secret
  admin        the whole instance

Examples:
  npm run keys -- create --name laptop --scopes transcribe
  npm run keys -- create --tenant research --name batch --scopes transcribe,manage --expires 90d
  npm run keys -- revoke sr_Ab12Cd34`;

interface Options {
  tenant: string;
  name: string;
  scopes: string;
  expires?: string;
  json?: boolean;
}

export function keysCommand(program: Command): void {
  const keys = program.command("keys").description("make, list and revoke API keys").addHelpText("after", HELP);
  keys
    .command("create")
    .description("make a key and print it, once")
    .option("--tenant <name>", "whose it is; made where there is none of that name", DEFAULT_TENANT)
    .requiredOption("--name <name>", "what it is for")
    .option("--scopes <list>", `of ${SCOPES.join(", ")}`, "transcribe")
    .option("--expires <when>", "12h, 90d, or a date such as 2027-01-31; absent: never")
    .action((_options, command: Command) => create(command.optsWithGlobals<Options>()));
  keys
    .command("list")
    .description("the keys of a tenant, without their secrets")
    .option("--tenant <name>", "whose", DEFAULT_TENANT)
    .action((_options, command: Command) => list(command.optsWithGlobals<Options>()));
  keys
    .command("revoke <key>")
    .description("end a key at once; named by its id or its `sr_…` beginning")
    .option("--tenant <name>", "whose", DEFAULT_TENANT)
    .action((key: string, _options, command: Command) => revoke(key, command.optsWithGlobals<Options>()));
}

async function create(options: Options): Promise<void> {
  const scopes = readScopes(options.scopes);
  const expiresAt = options.expires === undefined ? null : readExpiry(options.expires, new Date());
  const row = await withDatabase(async (db) => {
    const tenant = await ensureTenant(db, options.tenant);
    return createKey(db, { tenantId: tenant.id, name: options.name, scopes, expiresAt });
  });
  if (options.json) return console.log(JSON.stringify({ key: row.key, ...view(row) }));
  console.log(row.key);
  const end = expiresAt ? `until ${expiresAt.toISOString()}` : "for ever";
  console.error(
    `Key "${row.name}" of tenant "${options.tenant}": ${scopes.join(", ")}, ${end}. It is not shown again.`,
  );
}

async function list({ tenant, json }: Options): Promise<void> {
  const rows = await withDatabase(async (db) => listKeys(db, await tenantId(db, tenant)));
  if (json) return console.log(JSON.stringify({ tenant, keys: rows.map(view) }));
  const day = (time: Date | null) => time?.toISOString().slice(0, 16).replace("T", " ") ?? "";
  const state = (row: KeyRow) => {
    if (row.revokedAt) return "revoked";
    return row.expiresAt && row.expiresAt <= new Date() ? "expired" : "active";
  };
  printTable(
    ["key", "name", "scopes", "state", "made", "expires", "last used"],
    rows.map((row) => [
      ...[`sr_${row.publicId}_…`, row.name, row.scopes.join(","), state(row)],
      ...[day(row.createdAt), day(row.expiresAt), day(row.lastUsedAt)],
    ]),
  );
}

async function revoke(key: string, { tenant, json }: Options): Promise<void> {
  const row = await withDatabase(async (db) => {
    const owner = await tenantId(db, tenant);
    const publicId = /^sr_([A-Za-z0-9]{8})/.exec(key)?.[1];
    const found = (await listKeys(db, owner)).find((row) => row.id === key || row.publicId === (publicId ?? key));
    if (!found) throw new WrongUsage(`Tenant "${tenant}" has no key ${publicId ? `sr_${publicId}_…` : key}.`);
    await revokeKey(db, owner, found.id);
    return found;
  });
  if (json) return console.log(JSON.stringify({ revoked: true, id: row.id }));
  console.log(`Revoked sr_${row.publicId}_… ("${row.name}").`);
}

function readScopes(text: string): Scope[] {
  const scopes = [...new Set(text.split(",").map((scope) => scope.trim()))];
  const wrong = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (wrong !== undefined) throw new WrongUsage(`"${wrong}" is no scope; there are ${SCOPES.join(", ")}.`);
  return scopes as Scope[];
}

/** Listing must not make a tenant out of a slip of the pen. */
async function tenantId(db: Database, name: string): Promise<string> {
  const tenant = await db.prisma.tenant.findUnique({ where: { name }, select: { id: true } });
  if (!tenant) throw new WrongUsage(`There is no tenant "${name}".`);
  return tenant.id;
}

function view(row: KeyRow) {
  return {
    id: row.id,
    public_id: row.publicId,
    name: row.name,
    scopes: row.scopes,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
  };
}
