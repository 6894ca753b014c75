// What every scenario can be told, by `k6 run -e NAME=value`.

export const base = (__ENV.URL || "http://127.0.0.1:8080").replace(/\/$/, "");
export const socketUrl = `${base.replace(/^http/, "ws")}/ws`;

// The server's auth.hs256_secret: each user of the test signs a token of its own.
export const secret = __ENV.SECRET;
if (!secret) {
  throw new Error("set -e SECRET=... to the server's auth.hs256_secret");
}

// Another one for each run, so that a run finds nothing of the last. The same in all VUs, hence not by chance.
export const run = __ENV.RUN || "k6";

export function number(name, otherwise) {
  const value = Number(__ENV[name] || otherwise);
  if (!Number.isFinite(value) || value <= 0) {
    throw new Error(`${name} must be a number above 0`);
  }
  return value;
}

export function text(name, otherwise) {
  return __ENV[name] || otherwise;
}

// k6 prints no p(99) unless it is asked to.
export const summary = ["avg", "med", "p(95)", "p(99)", "max"];

export const userOf = (n) => `${run}-user-${n}`;
export const roomOf = (n) => `${run}-room-${n}`;
