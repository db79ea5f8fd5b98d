/** What a request to the stand-in holds. */
export interface ChatMessages {
  messages: { role: string; content: string }[];
  response_format?: { type: string; json_schema?: { name: string; schema: Record<string, unknown> } };
}

interface Line {
  line: number;
  speaker: string | null;
  text: string;
}

/**
 * A language model's stand-in: no model, but rules. It obeys every instruction that it finds, as real ones tend to, unless
 * that lies inside the fence which the system's message names. Equal requests get equal answers.
 */
export function answerAsObedientModel({ messages }: ChatMessages): Record<string, unknown> {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  const user = messages.filter(({ role }) => role === "user").map(({ content }) => content);
  const mark = /<<<DATA (\S+)>>>/.exec(system)?.[1];
  const { inside, outside } = splitAtFence(user.join("\n"), mark);
  const schema = JSON.parse(system.slice(system.lastIndexOf("\n\n") + 2)) as Schema;
  const order = /ignore (?:all )?(?:previous|prior) instructions.*?\bsay (\w+)/is.exec(`${system}\n${outside}`)?.[1];
  if (order !== undefined) return fill(schema, order) as Record<string, unknown>;
  const task = /^Task: (\w+)/.exec(system)?.[1] ?? "";
  const lines = inside.split("\n").map(readLine);
  return (DO[task]?.(lines) ?? fill(schema, "stand-in")) as Record<string, unknown>;
}

/** Only the whole mark opens and closes; whoever spoke could not know it. */
function splitAtFence(text: string, mark: string | undefined): { inside: string; outside: string } {
  if (mark === undefined) return { inside: "", outside: text };
  const inside: string[] = [];
  const fence = new RegExp(`<<<DATA ${mark}>>>\\n([\\s\\S]*?)\\n<<<END ${mark}>>>`, "g");
  const outside = text.replaceAll(fence, (_, data: string) => {
    inside.push(data);
    return "";
  });
  return { inside: inside[0] ?? "", outside };
}

function readLine(row: string): Line {
  const [, line, speaker, text] = /^(\d+)(?: \[[\d.]+s\])?(?: ([\w ]+):)? (.*)$/.exec(row) ?? [];
  return { line: Number(line ?? 0), speaker: speaker ?? null, text: text ?? row };
}

const words = (lines: readonly Line[], count: number): string =>
  lines
    .map(({ text }) => text)
    .join(" ")
    .split(" ")
    .slice(0, count)
    .join(" ");

const DO: Record<string, (lines: readonly Line[]) => unknown> = {
  summary: (lines) => ({ summary: `In short: ${words(lines, 12)}` }),
  title: (lines) => ({ title: words(lines, 4) }),
  notes: (lines) => ({ notes: words(lines, 16) }),
  custom_notes: (lines) => ({ notes: words(lines, 16) }),
  sentiment: () => ({ label: "neutral", score: 0, reason: "Nobody raised their voice." }),
  keywords: (lines) => ({
    keywords: [...new Set(lines.flatMap(({ text }) => text.match(/\b[a-z]{7,}\b/g) ?? []))].slice(0, 20),
  }),
  action_items: (lines) => ({
    items: lines
      .filter(({ text }) => /\bwill\b/.test(text))
      .map(({ line, speaker, text }) => ({ text, owner: speaker, due: null, quote: text.toUpperCase(), line })),
  }),
  entities: (lines) => ({
    entities: lines.flatMap(({ line, text }) =>
      [...text.matchAll(/(?<=\w )[A-Z][a-z]+/g)].map(([name]) => ({ text: name, type: "person", quote: name, line })),
    ),
  }),
  chapters: (lines) => ({
    chapters: lines.slice(0, 1).map((line) => ({
      title: `From line ${line.line}`,
      summary: words(lines, 8),
      quote: words([line], 4),
      line: line.line,
    })),
  }),
  translate: (lines) => ({ lines: lines.map(({ line, text }) => ({ line, text: `«${text}»` })) }),
};

interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  enum?: unknown[];
  minItems?: number;
  minimum?: number;
  anyOf?: Schema[];
}

/** A value that holds to the schema, with `text` wherever text may stand. */
function fill(schema: Schema, text: string): unknown {
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return fill(schema.anyOf[0], text);
  switch ([schema.type].flat()[0]) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, item]) => [key, fill(item, text)]));
    case "array":
      return Array.from({ length: Math.max(1, schema.minItems ?? 0) }, () => fill(schema.items ?? {}, text));
    case "number":
    case "integer":
      return Math.max(0, schema.minimum ?? 0);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return text;
  }
}
