import { createServer, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "@scribe/config";
import { RequestError, uuidV7 } from "@scribe/domain";
import type { Express } from "express";
import { PROBLEM_TYPE, toProblem } from "./http/problem.ts";
import { limitConnections } from "./limits/limit-connections.ts";

/** Node looks for connections whose headers are late at this pace; its own is 30 s. */
const CHECK_EVERY_MS = 2_000;

/** The HTTP server of an app. What is no HTTP is answered as a problem, too. */
export function createHttpServer(app: Express, { limits, http }: Config): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.MAX_HEADER_BYTES,
      headersTimeout: limits.HEADER_TIMEOUT_SECONDS * 1000,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      /** An upload may take hours; bodies have limits of their own where they are read. */
      requestTimeout: 0,
      keepAliveTimeout: limits.KEEP_ALIVE_SECONDS * 1000,
      // Two readings of one request are how requests are smuggled.
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    app,
  );
  server.maxConnections = limits.MAX_CONNECTIONS;
  // Behind a proxy every connection is the proxy's.
  const perAddress = http.TRUST_PROXY === "false" ? limits.MAX_CONNECTIONS_PER_ADDRESS : 0;
  if (perAddress > 0) limitConnections(server, perAddress);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) return socket.destroy();
    socket.end(rawProblem(toRefusal(error.code)));
  });
  return server;
}

function toRefusal(code: string | undefined): RequestError {
  if (code === "HPE_HEADER_OVERFLOW") {
    return new RequestError("invalid_request", "The request's headers are too large.", { status: 431 });
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new RequestError("invalid_request", "The request did not come in time.", { status: 408 });
  }
  return new RequestError("invalid_request", "This is not a well-formed HTTP request.");
}

function rawProblem(error: RequestError): string {
  const requestId = uuidV7();
  const body = JSON.stringify(toProblem(error, requestId));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    "Connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
