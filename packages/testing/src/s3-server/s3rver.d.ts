declare module "@20minutes/s3rver" {
  import type { Server } from "node:http";
  import type { AddressInfo } from "node:net";

  type Middleware = (context: KoaContext, next: () => Promise<void>) => Promise<void>;
  interface KoaContext {
    method: string;
    path: string;
    query: Record<string, string | undefined>;
    get(header: string): string;
    status: number;
    type: string;
    body: unknown;
    req: import("node:http").IncomingMessage;
  }
  export default class S3rver {
    constructor(options: Record<string, unknown>);
    logger: { silent: boolean };
    store: unknown;
    context: { store: unknown };
    middleware: Middleware[];
    httpServer: Server;
    on(event: "error", listener: (error: Error) => void): this;
    run(): Promise<AddressInfo>;
    close(): Promise<void>;
  }
}

declare module "@20minutes/s3rver/lib/models/error.js" {
  export default class S3Error extends Error {
    constructor(code: string, message: string, detail?: object);
  }
}

declare module "@20minutes/s3rver/lib/models/object.js" {
  export default class S3Object {
    constructor(bucket: string, key: string, content: unknown, metadata: Record<string, unknown>);
    bucket: string;
    key: string;
    content: Buffer | import("node:stream").Readable;
    metadata: Record<string, string>;
    range?: { start: number; end: number };
  }
}
