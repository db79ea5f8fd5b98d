import { createServer, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { RequestError, uuidV7 } from "@scribe/domain";
import type { Express } from "express";
import { PROBLEM_TYPE, toProblem } from "./http/problem.ts";

const LIMITS = {
  /** A key, a request id, a trace and cookies of neighbours fit several times. */
  maxHeaderSize: 16 * 1024,
  headersTimeout: 20_000,
  /** An upload may take hours; bodies have limits of their own where they are read. */
  requestTimeout: 0,
  /** Longer than load balancers keep an idle connection (60 s), so that they close it, not we under a request. */
  keepAliveTimeout: 65_000,
} as const;

/** The HTTP server of an app. What is no HTTP is answered as a problem, too. */
export function createHttpServer(app: Express): Server {
  const server = createServer(LIMITS, app);
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
