import {
  audit,
  createKey,
  type Database,
  ensureTenant,
  type KeyRow,
  listKeys,
  revokeKey,
  rotateKey,
} from "@scribe/database";
import { SCOPES, type Scope } from "@scribe/domain";
import { type Command, Option } from "commander";
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
  npm run keys -- rotate sr_Ab12Cd34 --overlap 7d
  npm run keys -- revoke sr_Ab12Cd34

Every act is written to the audit log, with \`cli\` as its actor.`;

interface Options {
  tenant: string;
  name: string;
  scopes: string;
  expires?: string;
  overlap: string;
  json?: boolean;
  profile?: string;
  webhookFormat?: "standard" | "legacy";
}

export function keysCommand(program: Command): void {
  const keys = program.command("keys").description("make, list, rotate and revoke API keys").addHelpText("after", HELP);
  keys
    .command("create")
    .description("make a key and print it, once")
    .option("--tenant <name>", "whose it is; made where there is none of that name", DEFAULT_TENANT)
    .requiredOption("--name <name>", "what it is for")
    .option("--scopes <list>", `of ${SCOPES.join(", ")}`, "transcribe")
    .option("--expires <when>", "12h, 90d, or a date such as 2027-01-31; absent: never")
    .addOption(new Option("--profile <name>", "which API its callers know").choices(["standard", "legacy"]))
    .addOption(new Option("--webhook-format <name>", "how webhooks of its jobs look").choices(["standard", "legacy"]))
    .action((_options, command: Command) => create(command.optsWithGlobals<Options>()));
  keys
    .command("list")
    .description("the keys of a tenant, without their secrets")
    .option("--tenant <name>", "whose", DEFAULT_TENANT)
    .action((_options, command: Command) => list(command.optsWithGlobals<Options>()));
  keys
    .command("rotate <key>")
    .description("make a key that takes another's place, and print it, once; the old one works on for a while")
    .option("--tenant <name>", "whose", DEFAULT_TENANT)
    .option("--overlap <time>", "how long the old one works on, such as 12h or 7d; 0h: not at all", "24h")
    .action((key: string, _options, command: Command) => rotate(key, command.optsWithGlobals<Options>()));
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
    const made = await createKey(db, {
      ...{ tenantId: tenant.id, name: options.name, scopes, expiresAt },
      ...{ profile: options.profile, webhookFormat: options.webhookFormat },
    });
    await audit(db, { tenantId: tenant.id, actor: "cli", action: "key.created", target: made.id, detail: { scopes } });
    return made;
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

async function rotate(key: string, { tenant, overlap, json }: Options): Promise<void> {
  const overlapSeconds = readDuration(overlap);
  const { made, oldExpiresAt } = await withDatabase(async (db) => {
    const found = await findKeyOf(db, tenant, key);
    const rotated = await rotateKey(db, found.tenantId, found.id, overlapSeconds);
    if (rotated === null) throw new WrongUsage(`sr_${found.publicId}_… is revoked or has expired; create a new key.`);
    await audit(db, {
      tenantId: found.tenantId,
      actor: "cli",
      action: "key.rotated",
      target: found.id,
      detail: { new_key: rotated.made.id, old_expires_at: rotated.oldExpiresAt.toISOString() },
    });
    return rotated;
  });
  const until = oldExpiresAt.toISOString();
  if (json) return console.log(JSON.stringify({ key: made.key, ...view(made), replaces: { expires_at: until } }));
  console.log(made.key);
  console.error(`It takes the place of the old key, which works until ${until}. It is not shown again.`);
}

async function revoke(key: string, { tenant, json }: Options): Promise<void> {
  const row = await withDatabase(async (db) => {
    const found = await findKeyOf(db, tenant, key);
    if (await revokeKey(db, found.tenantId, found.id)) {
      await audit(db, { tenantId: found.tenantId, actor: "cli", action: "key.revoked", target: found.id });
    }
    return found;
  });
  if (json) return console.log(JSON.stringify({ revoked: true, id: row.id }));
  console.log(`Revoked sr_${row.publicId}_… ("${row.name}").`);
}

/** A key of a tenant by its id, its public part, or its beginning. */
async function findKeyOf(db: Database, tenant: string, key: string): Promise<KeyRow> {
  const owner = await tenantId(db, tenant);
  const publicId = /^sr_([A-Za-z0-9]{8})/.exec(key)?.[1];
  const found = (await listKeys(db, owner)).find((row) => row.id === key || row.publicId === (publicId ?? key));
  if (!found) throw new WrongUsage(`Tenant "${tenant}" has no key ${publicId ? `sr_${publicId}_…` : key}.`);
  return found;
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function readDuration(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (Number.isNaN(seconds) || count === "") throw new WrongUsage(`"${text}" is no time; 12h and 7d are.`);
  return seconds;
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
