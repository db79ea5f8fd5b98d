import { createServer } from "node:http";
import { createOutboundClient, OutboundError } from "@scribe/outbound";
import { INSIDE_HOSTS } from "../../../packages/outbound/test/inside-addresses.ts";
import { type Attack, Broken } from "../attack.ts";
import { inParallel } from "../in-parallel.ts";
import { ALLOWED_ADDRESS, type Stage, untilEnded } from "../stage/open-stage.ts";
import { showDoorsInside } from "./doors-inside.ts";

const SHORT_COUNT = 60;
const REDIRECTS = 40;

/** What a URL may end in: refused at once, or as a job's error; never in an answer from inside. */
export const insideAddresses: Attack = {
  name: "urls",
  what: "URLs that point inside × {audio URL, webhook, provider, front doors, batches, settings}, also by redirect and by names that change",
  mustHold: "0 connections at the canary",
  async run(stage) {
    const broken = new Broken();
    const { canary } = stage;
    const hosts = stage.short ? every(INSIDE_HOSTS, SHORT_COUNT) : INSIDE_HOSTS;
    const urls = hosts.map((host) => `http://${host}:${canary.port}/a.wav`);
    const odd = oddUrls(canary.port);
    const all = [...urls, ...odd];
    const redirector = await openRedirector(all);
    const accepted: string[] = [];
    let refused = 0;
    const sort = (answer: { status: number; json(): Record<string, unknown> }, url: string, as: string) => {
      if (answer.status === 202) accepted.push(String(answer.json().job_id));
      else if (answer.status === 400) refused += 1;
      else broken.add(`${as} ${url}: ${answer.status}`);
    };
    try {
      const audio = { engine: "synthetic", metadata: { synthetic: '{"windows":1}' } };
      await inParallel(all, 8, async (url) => {
        sort(await stage.call("/api/v1/transcribe", { json: { ...audio, url } }), url, "audio");
      });
      const silent = { engine: "synthetic", metadata: { synthetic: '{"windows":0,"audio":false}' } };
      const harmless = `http://${ALLOWED_ADDRESS}:${redirector.port}/none`;
      await inParallel(all, 8, async (url) => {
        const json = { ...silent, url: harmless, webhook_url: url, webhook_events: ["job.completed"] };
        sort(await stage.call("/api/v1/transcribe", { json }), url, "webhook");
      });
      const step = Math.max(1, Math.floor(all.length / (stage.short ? 15 : 400)));
      const redirects = all.filter((_, at) => at % step === 0).map((_, at) => `${redirector.url}/${at * step}`);
      const chained = Array.from({ length: REDIRECTS }, (_, at) => `${redirector.url}/chain/${at * step}`);
      const hops = [...redirects, ...(stage.short ? chained.slice(0, 5) : chained)];
      await inParallel(hops, 8, async (url) => {
        sort(await stage.call("/api/v1/transcribe", { json: { ...audio, url } }), url, "redirect");
      });
      const ends = new Map<string, number>();
      await inParallel(accepted, 8, async (id) => {
        const { status, error } = await untilEnded(stage, id, 300_000);
        const end = error?.code ?? status;
        ends.set(end, (ends.get(end) ?? 0) + 1);
      });
      const doors = await showDoorsInside(stage, { urls: all, harmless, broken });
      const provider = await throughClient(stage, all, broken);
      const rebound = await withChangingNames(stage, broken);
      for (const each of canary.connections) broken.add(`a connection at the canary: ${each}`);
      const ended = [...ends].map(([end, count]) => `${count} ${end}`).join(", ");
      return {
        count: all.length * 2 + hops.length + doors.asked + provider + rebound,
        seen:
          `${canary.connections.length} connections; ${all.length} audio URLs, ${all.length} webhooks, ${provider} provider ` +
          `requests, ${doors.asked} at ${doors.places} other places, ${hops.length} redirects, ${rebound} changing names; ${refused} refused at once, jobs: ${ended}`,
        broken: broken.list,
      };
    } finally {
      await redirector.close();
    }
  },
};

function every<T>(list: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(list.length / count));
  return list.filter((_, at) => at % step === 0);
}

/** URLs whose parts are to be read in another way than the host alone. */
function oddUrls(port: number): string[] {
  const host = "127.0.0.1";
  return [
    `http://allowed.example@${host}:${port}/`,
    `http://allowed.example:80@${host}:${port}/`,
    `http://${host}:${port}#@allowed.example/`,
    `http://${host}:${port}?@allowed.example/`,
    `http://${host}:${port}\\@allowed.example/`,
    `http:\\\\${host}:${port}\\a.wav`,
    `http:/${host}:${port}/a.wav`,
    `http:${host}:${port}/a.wav`,
    `HtTp://${host}:${port}/a.wav`,
    `http://${host}:0${port}/a.wav`,
    ` http://${host}:${port}/a.wav`,
    `http://${host}:${port}/a.wav\t`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    `https://${host}:${port}/a.wav`,
    `http://${host}:${port}/%2e%2e/a.wav`,
    `http://localhost:${port}/..//a.wav`,
    `http://${host}.nip.io:${port}/`,
  ];
}

/** Outside, as far as the configuration goes: sends whoever asks on to an address inside. */
async function openRedirector(targets: readonly string[]) {
  const statuses = [301, 302, 303, 307, 308];
  const server = createServer((request, response) => {
    const [, chain, text] = /^\/(chain\/)?(\d+)/.exec(request.url ?? "") ?? [];
    const at = Number(text);
    const location = chain ? `/${at}` : targets[at];
    if (location === undefined) return void response.writeHead(404).end();
    try {
      response.writeHead(statuses[at % statuses.length] ?? 302, { location: encodeURI(location) }).end();
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen({ port: 0, host: ALLOWED_ADDRESS }, done));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    port,
    url: `http://${ALLOWED_ADDRESS}:${port}`,
    close: () => new Promise<void>((done) => server.close(() => done())),
  };
}

/** The client as a provider with a tenant's base URL would use it: a POST with a key. */
async function throughClient(stage: Stage, urls: readonly string[], broken: Broken): Promise<number> {
  const client = createOutboundClient({
    allowPrivateNetworks: [`${ALLOWED_ADDRESS}/32`],
    allowedPorts: [stage.canary.port],
  });
  await inParallel(urls, 16, async (url) => {
    const request = { method: "POST", headers: { authorization: "Bearer provider" }, body: "{}" } as const;
    try {
      const answer = await client.fetchStream(url, { ...request, limits: { connectTimeoutMs: 3_000 } });
      answer.body.destroy();
      broken.add(`provider ${url} was answered ${answer.status} by ${answer.remoteAddress}`);
    } catch (error) {
      if (!(error instanceof OutboundError)) broken.add(`provider ${url}: ${error}`);
    }
  });
  await client.close();
  return urls.length;
}

/** Names that resolve to somewhere allowed when looked at, and inside when connected to; or to both at once. */
async function withChangingNames(stage: Stage, broken: Broken): Promise<number> {
  const inside = [
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "169.254.169.254",
    "fd00:ec2::254",
  ];
  const family = (address: string) => (address.includes(":") ? 6 : 4);
  const list = (...addresses: string[]) => addresses.map((address) => ({ address, family: family(address) }));
  let count = 0;
  for (const address of inside) {
    const answers = [
      (asked: number) => (asked === 0 ? list(ALLOWED_ADDRESS) : list(address)),
      (asked: number) => (asked % 2 === 0 ? list(address) : list(ALLOWED_ADDRESS)),
      () => list(ALLOWED_ADDRESS, address),
      () => list(address, ALLOWED_ADDRESS),
      () => list(address),
    ];
    for (const answer of answers) {
      let asked = 0;
      const client = createOutboundClient(
        { allowPrivateNetworks: [`${ALLOWED_ADDRESS}/32`], allowedPorts: [stage.canary.port] },
        { lookup: async () => answer(asked++) },
      );
      for (let round = 0; round < 4; round++) {
        count += 1;
        try {
          const response = await client.fetchStream(`http://rebind.example:${stage.canary.port}/`, {
            limits: { connectTimeoutMs: 500, headersTimeoutMs: 500, totalTimeoutMs: 2_000 },
          });
          response.body.destroy();
          broken.add(`a changing name led to ${response.remoteAddress}`);
        } catch (error) {
          if (!(error instanceof OutboundError)) broken.add(`a changing name: ${error}`);
        }
      }
      await client.close();
    }
  }
  return count;
}
