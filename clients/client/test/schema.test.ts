import { beforeAll, expect, test } from "vitest";
import { Comparison, type Schema, schemas, Types } from "./support/schema.js";

let types: Types;
const all = schemas();
/** Where the SDK says more than the schema. */
const meant = [
  // Nobody sees another user as invisible, or can be offline of their own will.
  /\.status: (Own)?Status( \| undefined)? is not offline \| away \| online \| busy \| invisible$/,
  // Of the durable events, messages have it, and others do not.
  /(^[a-z_]+|\.events\[\]\.data)\.messageId: (may be absent|missing)$/,
  // A later server may have more codes, and say more.
  /\.error\.code: string is not invalid_message/,
  /\.error\.details: unknown to the server$/,
];

const of = (name: string): Record<string, Schema> => all[name]?.properties ?? {};

// The compiler reads the whole SDK.
beforeAll(() => {
  types = new Types();
}, 60_000);

test("every command and its answer are those of the protocol's schema", () => {
  const commands = types.fields(types.get("Commands"));
  expect([...commands.keys()].sort()).toEqual(Object.keys(of("SocketCommands")).sort());
  const comparison = new Comparison(types, all, meant);
  for (const [name, { type }] of commands) {
    const parts = types.fields(type);
    const [data, reply] = [parts.get("data"), parts.get("reply")];
    const [dataSchema, replySchema] = [of("SocketCommands")[name], of("SocketReplies")[name]];
    if (!data || !reply || !dataSchema || !replySchema) throw new Error(`no data or reply of ${name}`);
    comparison.compare(name, data.type, dataSchema, true);
    comparison.compare(`${name} -> `, reply.type, replySchema, false);
  }
  expect(comparison.differences).toEqual([]);
});

test("every event is that of the protocol's schema", () => {
  const events = types.fields(types.get("StarlingEvents"));
  const comparison = new Comparison(types, all, meant);
  for (const [name, schema] of Object.entries(of("SocketEvents"))) {
    const event = events.get(name);
    if (!event) comparison.differences.push(`${name}: missing`);
    // An `error` is told as a StarlingError.
    else if (name !== "error") comparison.compare(name, event.type, schema, false);
  }
  expect(comparison.differences).toEqual([]);
  const own = ["event", "status", "resumed", "room_reset", "error", "pong"];
  const known = Object.keys(of("SocketEvents"));
  expect([...events.keys()].filter((name) => !known.includes(name) && !own.includes(name))).toEqual([]);
});

test("error codes are those of the protocol's schema, and the client's own", () => {
  const codes = types
    .alternatives(types.get("ErrorCode"))
    .map((type) => (type.isLiteral() ? type.value : ""));
  const own = ["disconnected", "timeout", "queue_full", "expired"];
  expect(codes.sort()).toEqual([...(all.ErrorCode?.enum ?? []), ...own].sort());
});
