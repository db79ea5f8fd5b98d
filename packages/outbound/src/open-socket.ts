import type { LookupAddress } from "node:dns";
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, rootCertificates } from "node:tls";
import { portOf } from "./assert-url-allowed.ts";
import { checkAddress, type ForbiddenAddress, notAllowed } from "./check-address.ts";
import { parseAddress } from "./classify-address.ts";
import type { Lookup } from "./client.ts";
import { type CompiledPolicy, normalizeHost } from "./compile-policy.ts";
import { OutboundError } from "./outbound-error.ts";

export interface SocketOpener {
  readonly policy: CompiledPolicy;
  readonly lookup: Lookup;
  readonly forbidden: () => Promise<ForbiddenAddress[]>;
  readonly ca?: string | undefined;
}

export interface OpenSocket {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly remoteIsPrivate: boolean;
}

/**
 * Resolves the host of `url` once, checks every address of the answer, and connects to those very addresses: between the
 * check and the connection no name server is asked again. One address that is not allowed refuses the whole answer.
 * `signal` ends it at any point.
 */
export async function openSocket(url: URL, opener: SocketOpener, signal: AbortSignal): Promise<OpenSocket> {
  const host = normalizeHost(url.hostname);
  const port = portOf(url);
  const addresses = await untilAborted(resolveHost(host, opener.lookup), signal);
  const forbidden = await untilAborted(opener.forbidden(), signal);
  let inside = false;
  for (const { address } of addresses) {
    const parsed = parseAddress(address);
    if (parsed === null) throw notAllowed();
    inside = checkAddress(parsed, port, opener.policy, forbidden).isPrivate || inside;
  }
  const tcp = await connectTo(host, port, addresses, signal);
  const remoteAddress = tcp.remoteAddress ?? "";
  if (!addresses.some(({ address }) => isSame(address, remoteAddress))) {
    tcp.destroy();
    throw notAllowed();
  }
  const socket = url.protocol === "https:" ? await secure(tcp, host, opener.ca, signal) : tcp;
  return { socket, remoteAddress, remoteIsPrivate: inside };
}

async function resolveHost(host: string, lookup: Lookup): Promise<LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    const found = await lookup(host);
    if (found.length > 0) return found;
  } catch (cause) {
    throw new OutboundError("dns", "The host of this address was not found.", { cause });
  }
  throw new OutboundError("dns", "The host of this address was not found.");
}

function connectTo(host: string, port: number, addresses: LookupAddress[], signal: AbortSignal): Promise<Socket> {
  const pinned: LookupFunction = (_host, options, callback) => {
    const [first] = addresses;
    if (options.all) callback(null, addresses);
    else callback(null, first!.address, first!.family);
  };
  const socket = connectTcp({ host, port, lookup: pinned, autoSelectFamily: true, noDelay: true });
  return ready(socket, "connect", signal, "connect", "The server of this address does not answer.");
}

function secure(socket: Socket, host: string, ca: string | undefined, signal: AbortSignal): Promise<Socket> {
  const secured = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["http/1.1"],
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
  });
  return ready(secured, "secureConnect", signal, "tls", "No secure connection to the server could be made.");
}

function ready<Kind extends Socket>(
  socket: Kind,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
  reason: "connect" | "tls",
  message: string,
): Promise<Kind> {
  return new Promise((resolve, reject) => {
    const stop = () => fail(signal.reason);
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      reject(error);
    };
    socket.once("error", (cause) => fail(new OutboundError(reason, message, { cause })));
    socket.once("close", () => fail(new OutboundError(reason, message)));
    socket.once(event, () => {
      signal.removeEventListener("abort", stop);
      socket.removeAllListeners("error");
      socket.removeAllListeners("close");
      // Until undici listens, an error must not be nobody's.
      socket.on("error", () => {});
      resolve(socket);
    });
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** A lookup cannot be stopped, only left behind. */
function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [parseAddress(one), parseAddress(other)];
  return first !== null && second !== null && first.toNormalizedString() === second.toNormalizedString();
}
