import { connect } from "node:net";

/** FLUSHALL, in Redis' own words. */
export function flushRedis(port: number): Promise<void> {
  return new Promise((done, failed) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("FLUSHALL\r\n"));
    socket.setTimeout(5_000, () => socket.destroy(new Error("Redis did not answer.")));
    socket.once("error", failed);
    socket.once("data", (answer) => {
      socket.destroy();
      if (answer.toString().startsWith("+OK")) done();
      else failed(new Error(`FLUSHALL was answered ${answer}`));
    });
  });
}
