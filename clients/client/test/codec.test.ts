import { describe, expect, test } from "vitest";
import { frameBytes, loadCodec } from "../src/codec.js";
import { msgpack } from "../src/msgpack.js";

const bytes = (...values: number[]) => new Uint8Array(values);
const decode = (frame: Uint8Array) => msgpack.decode(frame.slice().buffer as ArrayBuffer) as unknown;
const encode = (value: unknown) => msgpack.encode(value as never) as Uint8Array;

describe("MessagePack", () => {
  const values: [unknown, Uint8Array][] = [
    [null, bytes(0xc0)],
    [true, bytes(0xc3)],
    [false, bytes(0xc2)],
    [0, bytes(0)],
    [127, bytes(0x7f)],
    [-1, bytes(0xff)],
    [-32, bytes(0xe0)],
    [128, bytes(0xd2, 0, 0, 0, 128)],
    [-33, bytes(0xd2, 0xff, 0xff, 0xff, 0xdf)],
    [2 ** 31, bytes(0xd3, 0, 0, 0, 0, 0x80, 0, 0, 0)],
    [Number.MAX_SAFE_INTEGER, bytes(0xd3, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
    [0.5, bytes(0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0)],
    ["", bytes(0xa0)],
    ["é", bytes(0xa2, 0xc3, 0xa9)],
    [[], bytes(0x90)],
    [[1, [2]], bytes(0x92, 1, 0x91, 2)],
    [{}, bytes(0x80)],
    [{ a: 1 }, bytes(0x81, 0xa1, 0x61, 1)],
  ];
  test.each(values)("%j is these bytes, and back", (value, expected) => {
    expect(encode(value)).toEqual(expected);
    expect(decode(expected)).toEqual(value);
  });

  test("long strings, arrays and maps", () => {
    for (const length of [31, 32, 255, 256, 65_535, 65_536]) {
      const value = "x".repeat(length);
      expect(decode(encode(value))).toBe(value);
    }
    for (const length of [15, 16, 65_535, 65_536]) {
      const array = Array.from({ length }, (_, n) => n);
      expect(decode(encode(array))).toEqual(array);
      const map = Object.fromEntries(array.map((n) => [`k${n}`, n]));
      expect(decode(encode(map))).toEqual(map);
    }
  });

  test("forms that only others write", () => {
    expect(decode(bytes(0xcc, 200))).toBe(200);
    expect(decode(bytes(0xcd, 1, 0))).toBe(256);
    expect(decode(bytes(0xce, 0xff, 0xff, 0xff, 0xff))).toBe(2 ** 32 - 1);
    expect(decode(bytes(0xcf, 0, 0, 1, 0, 0, 0, 0, 0))).toBe(2 ** 40);
    expect(decode(bytes(0xd0, 0x80))).toBe(-128);
    expect(decode(bytes(0xd1, 0x80, 0))).toBe(-32_768);
    expect(decode(bytes(0xca, 0x3f, 0, 0, 0))).toBe(0.5);
    expect(decode(bytes(0xd9, 1, 0x61))).toBe("a");
    expect(decode(bytes(0xdd, 0, 0, 0, 1, 0xc0))).toEqual([null]);
    expect(decode(bytes(0xdf, 0, 0, 0, 1, 0xa1, 0x61, 1))).toEqual({ a: 1 });
  });

  test("undefined is not there, as in JSON; a key may have any name", () => {
    expect(decode(encode({ a: undefined, b: 1 }))).toEqual({ b: 1 });
    const tricky = JSON.parse('{"__proto__": 1, "b": 2}');
    expect(JSON.stringify(decode(encode(tricky)))).toBe('{"__proto__":1,"b":2}');
  });

  test("whatever is cut or foreign is an error, not a value", () => {
    const whole = encode({ type: "ok", id: 7, data: { list: [1, "two", 3.5, null, true] } });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decode(whole.slice(0, length))).toThrow();
    }
    expect(() => decode(bytes(0xc1))).toThrow(/0xc1/);
    expect(() => decode(bytes(0xd4, 1, 1))).toThrow();
    expect(() => decode(bytes(1, 2))).toThrow(/after the end/);
    expect(() => encode(() => 1)).toThrow(/function/);
    expect(() => decode(bytes(0xdd, 0xff, 0xff, 0xff, 0xff))).toThrow();
  });
});

test("codecs by name", async () => {
  expect((await loadCodec("json")).protocol).toBe("starling.v1.json");
  expect((await loadCodec("msgpack")).protocol).toBe("starling.v1.msgpack");
});

test("the size of a frame is told in bytes where it matters", () => {
  expect(frameBytes("é".repeat(10), 1_000)).toBe(10); // far from the limit: not counted
  expect(frameBytes("é".repeat(10), 15)).toBe(20);
  expect(frameBytes(new Uint8Array(4), 1)).toBe(4);
});
