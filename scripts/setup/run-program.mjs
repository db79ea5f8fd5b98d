import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { homedir, constants as systemConstants } from "node:os";
import { dirname, join, relative } from "node:path";
import { compileCache, root, state } from "./places.mjs";
import { Complaint } from "./say.mjs";

/**
 * Runs a task's file under `node` with our terminal and resolves with its exit code. Signals that reach us alone are
 * passed on; we end only after it has.
 */
export function runProgram(node, { file, args, nodeArgs = [], dotEnv = false }) {
  if (!existsSync(file)) throw new Complaint(`${relative(root, file)} is not there.`);
  const envFile = dotEnv ? [`--env-file-if-exists=${join(root, ".env")}`] : [];
  const child = spawn(node, [...nodeArgs, ...envFile, file, ...args], {
    cwd: root,
    env: {
      // Sources without their types, and compiled, are kept: a worker starts in half the processor time.
      NODE_COMPILE_CACHE: compileCache,
      ...process.env,
      // What the task starts finds the same Node by name.
      PATH: `${dirname(node)}:${process.env.PATH ?? ""}`,
    },
    stdio: "inherit",
  });
  const passOn = (signal) => {
    // Ctrl-C reaches the whole group of a terminal: the child has had it, and a second one would mean "at once".
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((done, failed) => {
    child.once("error", (error) => failed(new Complaint(`${node} does not start: ${error.message}`)));
    child.once("exit", (code, signal) => {
      for (const name of signals) process.removeListener(name, passOn);
      done(code ?? 128 + (systemConstants.signals[signal] ?? 0));
    });
  });
}

/** Runs a program of set-up; its output is shown only where it fails. */
export function runQuietly(program, args, env = {}) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...surroundings(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const listen = (text) => {
    said = (said + text).slice(-8_000);
  };
  child.stdout.setEncoding("utf8").on("data", listen);
  child.stderr.setEncoding("utf8").on("data", listen);
  const stop = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  return new Promise((done, failed) => {
    child.once("error", (error) => failed(new Complaint(`${program} does not start: ${error.message}`)));
    child.once("close", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM"]) process.removeListener(name, stop);
      if (code === 0) return done(said.trim());
      failed(new Complaint(explain(program, args, code ?? signal, said.trim())));
    });
  });
}

function explain(program, args, ending, said) {
  const offline =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|dns error|error sending request/i;
  const command = [program, ...args].map((word) =>
    relative(root, word).length < word.length && word.startsWith("/") ? relative(root, word) : word,
  );
  const hint = offline.test(said)
    ? "The package registry cannot be reached: the first set-up needs a network (a proxy or mirror goes into ~/.npmrc).\n"
    : "";
  return `${said}\n\n${hint}This failed (${ending}): ${command.join(" ")}`.trim();
}

/** Our environment, less what would change what gets installed or hide the reason of a failure. */
function surroundings() {
  const env = { ...process.env, CI: "true" };
  for (const name of [
    "NODE_ENV",
    "NODE_OPTIONS",
    "npm_config_loglevel",
    "npm_config_ignore_scripts",
    "npm_config_omit",
  ]) {
    delete env[name];
  }
  // Accounts without a home (containers, services) have nowhere to cache: .scribe does.
  if (!isWritable(homedir())) {
    env.HOME = join(state, "home");
    mkdirSync(env.HOME, { recursive: true });
  }
  return env;
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
