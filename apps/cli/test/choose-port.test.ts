import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { choosePort, PortTaken } from "../src/stack/choose-port.ts";

const busy = createServer();
let port = 0;

beforeAll(async () => {
  await new Promise<void>((done) => busy.listen(0, "127.0.0.1", done));
  port = (busy.address() as { port: number }).port;
});
afterAll(() => new Promise<void>((done) => busy.close(() => done())));

const options = { name: "PORT", host: "127.0.0.1", fixed: false, log: () => {} };

test("a port that somebody named and that is taken is an error that says what to do", async () => {
  const choice = choosePort({ ...options, port, fixed: true });
  await expect(choice).rejects.toThrow(PortTaken);
  await expect(choice).rejects.toThrow(`Port ${port} is taken by another program. Set PORT to a free one`);
});

test("a default that is taken gives way to a free one, and this is said", async () => {
  const said: string[] = [];
  const chosen = await choosePort({ ...options, port, log: (line) => said.push(line) });
  expect(chosen).toBeGreaterThan(port);
  expect(said).toEqual([`Port ${port} is taken; PORT is ${chosen} this time.`]);
});

test("0 is any free port, and what is spoken for is left out", async () => {
  const free = await choosePort({ ...options, port: 0 });
  expect(free).toBeGreaterThan(0);
  expect(await choosePort({ ...options, port: free, taken: new Set([free]) })).toBeGreaterThan(free);
});
