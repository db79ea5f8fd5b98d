import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What an image says of itself, as `buildah inspect --type image` prints it. */
export interface Image {
  root: string;
  env: string[];
  command: string[];
  user: { uid: number; gid: number };
  folder: string;
  healthcheck: string[];
}

export function readImage(root: string, inspected: string): Image {
  const { config } = (JSON.parse(readFileSync(inspected, "utf8")) as { Docker: { config: DockerConfig } }).Docker;
  const [uid, gid] = config.User.split(":").map(Number);
  if (!uid || !gid) throw new Error(`The image runs as "${config.User}", which is no number above 0.`);
  return {
    root,
    env: config.Env,
    command: config.Cmd,
    user: { uid, gid },
    folder: config.WorkingDir,
    healthcheck: config.Healthcheck.Test.slice(1),
  };
}

interface DockerConfig {
  User: string;
  Env: string[];
  Cmd: string[];
  WorkingDir: string;
  Healthcheck: { Test: string[] };
}

export interface BundleOptions {
  env: Record<string, string>;
  /** Instead of the image's own. */
  command?: string[];
  /** On this machine: what the container has as /data. */
  dataFolder: string;
}

/**
 * Writes an OCI bundle that runs an image as docker-compose.yml does: its root read-only, a /tmp in memory, /data, no
 * capability, no way to new privileges, a process space of its own. The network is the machine's.
 */
export function writeBundle(folder: string, image: Image, { env, command, dataFolder }: BundleOptions): void {
  mkdirSync(folder, { recursive: true });
  execFileSync("runc", ["spec", "--bundle", folder]);
  const path = join(folder, "config.json");
  const spec = JSON.parse(readFileSync(path, "utf8"));
  spec.root = { path: image.root, readonly: true };
  Object.assign(spec.process, {
    terminal: false,
    user: image.user,
    cwd: image.folder,
    env: [...image.env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    args: command ?? image.command,
    capabilities: {},
    noNewPrivileges: true,
    rlimits: [],
  });
  const kept = ["pid", "ipc", "uts", "mount"];
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }: { type: string }) => kept.includes(type));
  spec.linux.resources = {};
  spec.mounts = [
    ...spec.mounts.filter(({ destination }: { destination: string }) => !destination.startsWith("/sys")),
    { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] },
    { destination: "/data", type: "bind", source: dataFolder, options: ["bind", "rw"] },
    { destination: "/etc/resolv.conf", type: "bind", source: "/etc/resolv.conf", options: ["bind", "ro"] },
  ];
  writeFileSync(path, JSON.stringify(spec, null, 2));
}
