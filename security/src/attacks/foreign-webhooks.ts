import { createServer, type IncomingMessage } from "node:http";
import { verifySignature } from "@scribe/webhooks";
import { type Attack, Broken } from "../attack.ts";
import { ALLOWED_ADDRESS, type Stage, untilEnded } from "../stage/open-stage.ts";

/** Ours to say, a proxy's, or a way out of the line. */
const NAMES = [
  ...[
    "Host",
    "content-length",
    "Transfer-Encoding",
    "connection",
    "upgrade",
    "expect",
    "te",
    "trailer",
    "content-type",
  ],
  ...["webhook-id", "Webhook-Signature", "webhook-timestamp", "X-Webhook-Signature", "x-vercel-protection-bypass"],
  ...["X-Forwarded-For", "forwarded", "proxy-authorization", "cookie", "Metadata-Flavor", "x-aws-ec2-metadata-token"],
  ...["a b", "a:b", "a\r\nhost", "a\nb", "é", ":authority", "", "x".repeat(129)],
];
const VALUES = ["a\r\nx-injected: 1", "a\nx-injected: 1", "a\rb", "a\0b", "é", "x".repeat(1025)];
const REDIRECTS = [301, 302, 307, 308];
const UNTIL_SENT_MS = 20_000;

interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  names: string[];
  body: string;
}

/** Headers that callers have sent along with webhooks, through the front doors that know such. */
export const foreignWebhooks: Attack = {
  name: "webhooks",
  what: "headers that callers choose for their webhooks: ours, framing, line ends, redirects to elsewhere",
  mustHold: "0 of them sent, every signature right, secrets only to the address they were given for",
  async run(stage) {
    const broken = new Broken();
    const receiver = await openReceiver();
    let count = 0;
    let refused = 0;
    try {
      const token = stage.secrets;
      token.add("a caller's webhook header", "theirs-alone");
      const transcript = async (path: string, name: string, value: string) => {
        count += 1;
        const answer = await stage.call("/assemblyai/v2/transcript", {
          json: {
            ...{ audio_url: `${receiver.url}/none`, webhook_url: receiver.url + path },
            ...{ webhook_auth_header_name: name, webhook_auth_header_value: value },
          },
        });
        if (answer.status === 400) refused += 1;
        else if (answer.status === 200) await untilEnded(stage, String(answer.json().id));
        else broken.add(`${JSON.stringify(name)}: ${answer.status}`);
        return answer.status;
      };
      for (const name of NAMES) {
        if ((await transcript("/named", name, "x-theirs")) === 200) broken.add(`${JSON.stringify(name)} was taken`);
      }
      for (const value of VALUES) {
        if ((await transcript("/valued", "x-ours", value)) === 200) broken.add(`${JSON.stringify(value)} was taken`);
      }
      await transcript("/good", "authorization", "theirs-alone");
      for (const status of REDIRECTS) await transcript(`/redirect/${status}`, "authorization", "theirs-alone");
      count += await listen(stage, receiver.url, broken);
      const sent = 1 + REDIRECTS.length + 1;
      for (let waited = 0; receiver.received.length < sent && waited < UNTIL_SENT_MS; waited += 100) {
        await new Promise((done) => setTimeout(done, 100));
      }
      if (receiver.received.length < sent) broken.add(`${receiver.received.length} of ${sent} webhooks came`);
      const secret = (await stage.call("/api/v1/webhooks/secret", { handsOver: true })).json().secret as string;
      for (const each of receiver.received) check(each, { secret, port: receiver.port, broken });
      const seen = `${refused} refused, ${receiver.received.length} webhooks came, each signed and with headers of ours`;
      return { count, seen, broken: broken.list };
    } finally {
      await receiver.close();
    }
  },
};

/** Deepgram's: its token and the credentials of the address go to the callback, and to the audio's server never. */
async function listen(stage: Stage, url: string, broken: Broken): Promise<number> {
  const callback = encodeURIComponent(`${url.replace("//", "//me:theirs-alone@")}/callback`);
  const answer = await stage.call(`/deepgram/v1/listen?callback=${callback}`, { json: { url: `${url}/none` } });
  if (answer.status !== 200) broken.add(`a callback: ${answer.status}`);
  else await untilEnded(stage, String(answer.json().request_id));
  return 1;
}

function check({ path, headers, names, body }: Received, o: { secret: string; port: number; broken: Broken }): void {
  const wrong = (what: string) => o.broken.add(`at ${path}: ${what}`);
  if (headers.host !== `${ALLOWED_ADDRESS}:${o.port}`) wrong(`host ${headers.host}`);
  if (Number(headers["content-length"]) !== Buffer.byteLength(body)) wrong(`length ${headers["content-length"]}`);
  if (new Set(names).size !== names.length) wrong(`a header twice: ${names.join(", ")}`);
  if (names.some((name) => name === "x-injected" || name === "transfer-encoding")) wrong(names.join(", "));
  if (Object.values(headers).includes("x-theirs")) wrong("a header that was refused");
  const verdict = verifySignature(body, headers as Record<string, string>, [o.secret]);
  if (!verdict.ok) wrong(`the signature: ${JSON.stringify(verdict)}`);
  if (path.startsWith("/elsewhere")) wrong("a redirect was followed");
  const isCallback = path === "/callback";
  if ((headers["dg-token"] !== undefined) !== isCallback) wrong(`dg-token ${headers["dg-token"]}`);
  const authorization = isCallback ? `Basic ${btoa("me:theirs-alone")}` : "theirs-alone";
  if (headers.authorization !== authorization) wrong("another authorization");
}

/** Takes webhooks; whoever asks for audio is sent away, and must bring nothing of a caller's. */
async function openReceiver() {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const path = request.url ?? "";
      const names = request.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      const strayed = request.headers.authorization !== undefined || request.headers["dg-token"] !== undefined;
      if (path !== "/none" || strayed) {
        received.push({ path, headers: request.headers, names, body: Buffer.concat(chunks).toString() });
      }
      const [, status] = /^\/redirect\/(\d+)$/.exec(path) ?? [];
      if (path === "/none") response.writeHead(404).end();
      else if (status) response.writeHead(Number(status), { location: "/elsewhere" }).end();
      else response.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => server.listen({ port: 0, host: ALLOWED_ADDRESS }, done));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    ...{ received, port, url: `http://${ALLOWED_ADDRESS}:${port}` },
    close: () => new Promise<void>((done) => server.close(() => done())),
  };
}
