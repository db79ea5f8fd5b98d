import type { Scope } from "@scribe/domain";
import type { Request, RequestHandler, Response } from "express";
import type { z } from "zod";
import type { Api } from "../api.ts";
import type { Caller } from "../http/middleware/authenticate.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete" | "options";

/** What one answer of a route looks like in the document. */
export interface Answer {
  description: string;
  /** Of an `application/json` body; other kinds of content go into `content`. */
  schema?: z.ZodType;
  /** Media type → schema, or null for text and bytes. */
  content?: Record<string, z.ZodType | null>;
  headers?: Record<string, string>;
}

export type Body<T extends z.ZodType> =
  | { kind: "json"; schema: T }
  /** Read by the handler itself, which streams; the schema is for the document and holds the part `file`, too. */
  | { kind: "multipart"; schema: z.ZodType }
  /** Read by the handler itself: JSON of the schema, or its parts as lines of JSON. */
  | { kind: "manifest"; schema: z.ZodType }
  /** Streamed by the handler itself, as it comes. */
  | { kind: "bytes" };

/** One request, with what its route's schemas made of it. */
export interface Call<Q, B> {
  request: Request;
  response: Response;
  caller: Caller;
  /** The path's variables, as text. */
  params: Record<string, string>;
  query: Q;
  body: B;
}

/**
 * A route is declared once: Express is mounted from it, and the OpenAPI document is written from it. `handle` is given
 * the API's parts when the app is made, so a declaration alone connects to nothing.
 */
export interface Route<Q extends z.ZodType = z.ZodType, B extends z.ZodType = z.ZodType> {
  method: Method;
  /** With variables as OpenAPI writes them: `/api/v1/jobs/{id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  /** `null`: for everybody, without a key. */
  scope: Scope | null;
  /** Part of accounts: 503 where the operator has not turned them on. */
  accounts?: true;
  /** A strict object; absent: no parameter is known. `anything`: probes and browsers may add what they like. */
  query?: Q | "anything";
  headers?: Record<string, string>;
  body?: Body<B>;
  answers: Record<number, Answer>;
  handle: (api: Api) => (call: Call<z.output<Q>, z.output<B>>) => Promise<void> | void;
}

/** Keeps the types of the schemas for the handler, and forgets them for the list of routes. */
export function defineRoute<Q extends z.ZodType, B extends z.ZodType>(route: Route<Q, B>): Route {
  return route as unknown as Route;
}

/** The path as Express writes it: `/api/v1/jobs/:id`. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

export type Guard = (api: Api, route: Route) => RequestHandler;
