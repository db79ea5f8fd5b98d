import { describe, expect, test } from "@jest/globals";
import { assertUrlAllowed, type OutboundPolicy } from "../src/index.ts";
import { INSIDE_HOSTS } from "./inside-addresses.ts";

const OPEN: OutboundPolicy = {};
const refused = expect.objectContaining({ code: "url_not_allowed", reason: "address", retryable: false });
const check = (url: string, policy = OPEN) => {
  try {
    return assertUrlAllowed(url, policy).href;
  } catch (error) {
    return error;
  }
};

describe("what may be asked for", () => {
  test(`an address inside is refused in each of ${INSIDE_HOSTS.length} spellings`, () => {
    expect(INSIDE_HOSTS.length).toBeGreaterThan(1000);
    for (const host of INSIDE_HOSTS) {
      for (const url of [
        `http://${host}/a`,
        `https://${host}:443/a`,
        `http:\\\\${host}\\a`,
        `http:${host}`,
        `HTTP://${host}?a`,
      ]) {
        expect([url, check(url)]).toEqual([url, refused]);
      }
    }
  });

  test("a private network that is open does not open link-local, metadata or what is no one's", () => {
    const policy = { allowPrivateNetworks: ["0.0.0.0/0", "::/0"] };
    for (const host of [
      "169.254.169.254",
      "[::ffff:169.254.169.254]",
      "0xa9fea9fe",
      "[fe80::1]",
      "[fd00:ec2::254]",
      "[fd20:ce::254]",
      "100.100.100.200",
      "168.63.129.16",
      "192.0.0.192",
      "0.0.0.0",
      "[::]",
      "224.0.0.1",
      "255.255.255.255",
      "[2002:7f00:1::1]",
      "[64:ff9b::7f00:1]",
      "[::7f00:1]",
      "metadata.google.internal",
    ]) {
      expect([host, check(`http://${host}/`, policy)]).toEqual([host, refused]);
    }
    for (const host of ["127.0.0.1", "10.1.2.3", "[::1]", "[fd12::1]", "localhost", "192.168.1.1"]) {
      expect([host, check(`http://${host}:1234/`, policy)]).toEqual([host, `http://${host}:1234/`]);
    }
  });

  test("the open internet is reached on the ports that are open", () => {
    for (const url of [
      "http://93.184.216.34/",
      "https://[2606:2800:220:1::1]/",
      "https://example.org/a?b=c",
      "http://example.org:443/",
    ]) {
      expect(check(url)).toBe(url);
    }
    expect(check("https://[64:ff9b::93.184.216.34]/")).toBe("https://[64:ff9b::5db8:d822]/");
    for (const port of [22, 25, 5432, 6379, 8080, 8443, 65535]) {
      for (const host of ["example.org", "93.184.216.34"]) {
        expect(check(`http://${host}:${port}/`)).toEqual(refused);
        expect(check(`http://${host}:${port}/`, { allowedPorts: [port] })).toBe(`http://${host}:${port}/`);
      }
    }
    expect(check("http://example.org:0/")).toEqual(refused);
  });

  test("other schemes, credentials and what is no address are refused", () => {
    for (const url of [
      "",
      "example.org/a",
      "//example.org/a",
      "ftp://example.org/",
      "file:///etc/passwd",
      "gopher://example.org/",
      "data:audio/wav;base64,AAAA",
      "blob:http://example.org/x",
      "javascript:alert(1)",
      "ws://example.org/",
      "unix:///var/run/docker.sock",
      "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
      "http://",
      "http:///",
      "http://:80/",
      "http://user@example.org/",
      "http://user:pass@example.org/",
      "http://:pass@example.org/",
      "http://example.org@127.0.0.1/",
      "http://127.0.0.1#@example.org/",
      "http://127.0.0.1\\@example.org/",
      "http://example.org:99999/",
      "http://[::1",
      "http://[::1%25eth0]/",
      "http://[fe80::1%eth0]/",
      "http://1.2.3.4.5/",
      "http://256.256.256.256/",
      "http://4294967296/",
      "http://exa mple.org/",
      "http://exa<mple.org/",
    ]) {
      expect([url, check(url)]).toEqual([url, refused]);
    }
  });

  test("our own servers and ports stay closed in a network that is open", () => {
    const policy: OutboundPolicy = {
      allowPrivateNetworks: ["10.0.0.0/8", "127.0.0.0/8", "::1"],
      ownPorts: [8080, 9090],
      forbidden: [
        { host: "10.0.0.5", port: 5432 },
        { host: "10.0.0.6" },
        { host: "localhost", port: 6379 },
        { host: "db.internal", port: 5432 },
        { host: "127.0.0.1", port: 7777 },
      ],
    };
    for (const url of [
      "http://10.0.0.9:8080/",
      "http://127.0.0.1:9090/",
      "http://10.0.0.5:5432/",
      "http://[::ffff:10.0.0.5]:5432/",
      "http://167772165:5432/",
      "http://10.0.0.6:81/",
      "http://localhost:6379/",
      "http://LOCALHOST.:6379/",
      "http://db.internal:5432/",
      "http://127.0.0.1:7777/",
      "http://127.9.9.9:7777/",
      "http://[::1]:7777/",
    ]) {
      expect([url, check(url, policy)]).toEqual([url, refused]);
    }
    for (const url of [
      "http://10.0.0.9:81/",
      "http://10.0.0.5:5433/",
      "http://db.internal:81/",
      "http://localhost:81/",
    ]) {
      expect(check(url, policy)).toBe(url);
    }
    expect(check("http://192.168.0.1:81/", policy)).toEqual(refused);
  });

  test("a malformed policy is a mistake of the operator's, told at once", () => {
    for (const network of ["10.0.0.0/33", "10.0.0/8", "ten", "", "10.0.0.0/x", "::/129", "fe80::1%eth0/64"]) {
      expect(() => assertUrlAllowed("http://example.org/", { allowPrivateNetworks: [network] })).toThrow(TypeError);
    }
    for (const port of [0, 65_536, 1.5, Number.NaN]) {
      expect(() => assertUrlAllowed("http://example.org/", { allowedPorts: [port] })).toThrow(TypeError);
    }
  });
});
