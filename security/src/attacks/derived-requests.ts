import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { Pool } from "undici";
import { type Attack, Broken } from "../attack.ts";
import { inParallel } from "../in-parallel.ts";
import { Random } from "../random.ts";
import { ALLOWED_ADDRESS, type Stage } from "../stage/open-stage.ts";
import { type Derived, deriveRequest, type OpenApi, operationsOf } from "./derive-request.ts";
import { wrongAtDoor } from "./door-errors.ts";

const COUNT = 50_000;
const SHORT_COUNT = 1_500;
const AT_ONCE = 12;
/** An event stream of a job that has not ended would go on. */
const ANSWER_LIMIT_MS = 20_000;

/** Requests that would end the run itself. */
const LEFT_OUT = new Set(["docsScript"]);
const HANDS_OVER = new Set(["createKey", "rotateKey", "createTenantKey", "getWebhookSecret", "rotateWebhookSecret"]);

export const derivedRequests: Attack = {
  name: "openapi",
  what: "requests derived from the OpenAPI document: types, bounds, unicode, deep nesting, huge numbers",
  mustHold: "0 answers of 500, 0 schema violations in answers",
  async run(stage) {
    const broken = new Broken();
    const document = (await stage.call("/openapi.json")).json() as unknown as OpenApi;
    const operations = operationsOf(document).filter(({ operationId }) => !LEFT_OUT.has(operationId));
    const check = createAnswerCheck(document);
    const known = await collectIds(stage);
    const pool = new Pool(stage.stack.url, { connections: AT_ONCE, bodyTimeout: ANSWER_LIMIT_MS });
    const count = stage.short ? SHORT_COUNT : COUNT;
    const statuses = new Map<number, number>();
    let resets = 0;
    const crashedBefore = stage.crashes().length;

    await inParallel(Array(count).keys(), AT_ONCE, async (number) => {
      if (number > 0 && number % 5_000 === 0) stage.log(`${number} derived requests, ${broken.count} answers broke`);
      const random = new Random(stage.seed * 1_000_003 + number);
      const operation = operations[number % operations.length]!;
      const derived = deriveRequest(operation, document, random, known);
      const answer = await send(pool, derived, stage, random)
        .catch((error: Error) => {
          // Where this process starves, the server rightly gives up on a connection: the request is sent again, once.
          if (!/ECONNRESET|other side closed/.test(error.message)) throw error;
          resets += 1;
          return send(pool, derived, stage, random);
        })
        .catch((error: Error) => error);
      if (answer instanceof Error) {
        // What the client itself refuses to put on the wire has not been asked.
        if (!/invalid|header|path/i.test(answer.message)) broken.add(`${derived.method} ${derived.path}: ${answer}`);
        return;
      }
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (!HANDS_OVER.has(operation.operationId)) stage.secrets.look(`${derived.method} ${derived.path}`, answer.text);
      const wrong = check(operation.operationId, answer) ?? wrongAtDoor(operation.template, answer);
      const asked = `${derived.method} ${derived.path} ${String(derived.body ?? "").slice(0, 200)}`;
      if (wrong !== null) broken.add(`${asked} → ${answer.status} ${wrong}: ${answer.text.slice(0, 200)}`);
    });
    await pool.destroy();
    for (const crash of stage.crashes().slice(crashedBefore)) broken.add(crash);
    const seen = [...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${times}× ${status}`);
    return {
      count,
      seen: `${operations.length} operations; ${seen.join(", ")}; ${resets} connections cut, and asked again`,
      broken: broken.list,
    };
  },
};

/** Ids that are there, so that not every request ends with 404. */
async function collectIds(stage: Stage): Promise<string[]> {
  const silent = { engine: "synthetic", metadata: { synthetic: '{"windows":1,"audio":false}' } };
  const ids: string[] = [];
  for (let at = 0; at < 3; at++) {
    const json = { ...silent, url: `http://${ALLOWED_ADDRESS}:9/none` };
    ids.push(String((await stage.call("/api/v1/transcribe", { json })).json().job_id));
  }
  ids.push((await stage.makeKey(["read"])).id, await stage.makeTenant("fuzzed"));
  return ids;
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

async function send(pool: Pool, derived: Derived, stage: Stage, random: Random): Promise<Answer> {
  const key = random.chance(0.03) ? {} : { authorization: `Bearer ${stage.stack.key}` };
  const { statusCode, headers, body } = await pool.request({
    method: derived.method as "GET",
    path: derived.path,
    headers: { ...key, ...derived.headers },
    body: derived.body ?? null,
    headersTimeout: ANSWER_LIMIT_MS,
  });
  const type = String(headers["content-type"] ?? "");
  if (type.startsWith("text/event-stream")) {
    body.on("error", () => undefined);
    body.destroy();
    return { status: statusCode, type, text: "" };
  }
  return { status: statusCode, type, text: await body.text() };
}

/** Says what is wrong with an answer by the document, or null. */
function createAnswerCheck(document: OpenApi): (operationId: string, answer: Answer) => string | null {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  ajv.addSchema({ $id: "openapi", ...document } as object);
  const validators = new Map<string, ValidateFunction>();
  const operations = new Map(operationsOf(document).map((operation) => [operation.operationId, operation]));
  const validatorOf = (pointer: string): ValidateFunction => {
    const made = validators.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` });
    validators.set(pointer, made);
    return made;
  };
  return (operationId, { status, type, text }) => {
    if (status === 500) return "is an error of ours";
    const operation = operations.get(operationId)!;
    const isDocumented = String(status) in operation.responses;
    // A method that the path does not know, and what is refused before any route, are problems.
    if (!isDocumented && status < 400) return status === 204 || status === 304 ? null : "is not in the document";
    const which = isDocumented ? String(status) : "default";
    if (text === "") return status === 204 || type === "" || type.startsWith("text/") ? null : "has no body";
    const media = type.split(";")[0] ?? "";
    const content = operation.responses[which]?.content ?? {};
    const key = media in content ? media : type;
    if (content[key] === undefined) {
      if (status >= 400 && media === "application/problem+json") return checkProblem();
      return `has the type ${type}, which is not in the document`;
    }
    if (!/json$/.test(media)) return null;
    const place = ["paths", operation.template, operation.method, "responses", which, "content", key, "schema"];
    return validate(`/${place.map(escapePointer).join("/")}`);

    function checkProblem(): string | null {
      return validate("/components/schemas/Problem");
    }
    function validate(pointer: string): string | null {
      const validator = validatorOf(pointer);
      try {
        return validator(JSON.parse(text)) ? null : `violates its schema: ${ajv.errorsText(validator.errors)}`;
      } catch (error) {
        return `is no JSON: ${error}`;
      }
    }
  };
}

function escapePointer(part: string): string {
  return encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
}
