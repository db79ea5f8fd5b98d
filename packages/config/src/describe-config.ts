import { CONCERNS } from "./read-config.ts";
import type { Settings } from "./setting.ts";

const TITLES = {
  http: "The API",
  limits: "Limits",
  data: "Data and secrets",
  accounts: "Accounts",
  jobs: "Jobs and workers",
  enhancement: "Enhancement by a language model",
  outbound: "Reaching out",
  speech: "Speech",
  providers: "Providers",
  compat: "Callers of other services",
  logging: "Logs",
  tracing: "Traces",
} as const satisfies Record<keyof typeof CONCERNS, string>;

/** The README's table of settings, as Markdown. */
export function configTable(): string {
  const rows = entries().flatMap(({ title, settings }) => [
    `| **${title}** | | |`,
    ...settings.map(([name, { fallback, description, secret }]) => {
      const names = secret ? `\`${name}\`, \`${name}_FILE\`` : `\`${name}\``;
      return `| ${names} | ${fallback ? `\`${fallback}\`` : ""} | ${description.replaceAll("|", "\\|")} |`;
    }),
  ]);
  return ["| name | default | what it is |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

/** `.env.example`: every setting, commented out, with its default. */
export function envExample(): string {
  const blocks = entries().map(({ title, settings }) => {
    const lines = settings.map(([name, { fallback, description }]) => `# ${description}\n#${name}=${fallback ?? ""}`);
    return `## ${title}\n\n${lines.join("\n")}\n`;
  });
  return `# Every setting of Scribe Rabbit, with its default. Copy to .env and uncomment what you change.\n\n${blocks.join("\n")}`;
}

function entries() {
  return Object.entries(CONCERNS).map(([concern, settings]) => ({
    title: TITLES[concern as keyof typeof TITLES],
    settings: Object.entries(settings as Settings),
  }));
}
