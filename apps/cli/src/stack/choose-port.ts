import { createServer } from "node:net";

/** How far above a default port a free one is looked for. */
const REACH = 50;

/** A port that somebody named is taken: nobody but they can say which other one it should be. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
}

/**
 * The port for `name`: 0 means any free one. A `fixed` port that is taken is an error; a default that is taken gives way
 * to the next free one, and `log` says so.
 */
export async function choosePort(o: {
  name: string;
  port: number;
  host: string;
  fixed: boolean;
  log: (line: string) => void;
  /** Ports that are spoken for though nobody listens yet. */
  taken?: ReadonlySet<number>;
}): Promise<number> {
  if (o.port === 0) return (await tryPort(0, o.host)) ?? noneFree(o.name);
  for (let port = o.port; port <= Math.min(65_535, o.port + REACH); port++) {
    if (!o.taken?.has(port) && (await tryPort(port, o.host)) !== null) {
      if (port !== o.port) o.log(`Port ${o.port} is taken; ${o.name} is ${port} this time.`);
      return port;
    }
    if (o.fixed) {
      throw new PortTaken(`Port ${o.port} is taken by another program. Set ${o.name} to a free one, or stop it.`);
    }
  }
  return noneFree(o.name);
}

function noneFree(name: string): never {
  throw new PortTaken(`No free port was found for ${name}. Set it to a free one.`);
}

/** The port where it is free (0: any that is), else null. */
function tryPort(port: number, host: string): Promise<number | null> {
  return new Promise((done, failed) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") done(null);
      else failed(error);
    });
    probe.listen({ port, host, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : null));
    });
  });
}
