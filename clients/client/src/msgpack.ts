import type { Codec, Envelope } from "./codec.js";

/*
 * MessagePack for what the protocol says: null, booleans, numbers, strings, arrays and maps with string keys.
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */

const utf8 = new TextEncoder();
const text = new TextDecoder();

class Writer {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#end);
  }

  value(value: unknown): void {
    if (value === null || value === undefined) this.#byte(0xc0);
    else if (typeof value === "boolean") this.#byte(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#string(value);
    else if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 15, 0xdc);
      for (const item of value) this.value(item);
    } else if (typeof value === "object") {
      // As in JSON, what is undefined is not there.
      const entries = Object.entries(value).filter((entry) => entry[1] !== undefined);
      this.#head(entries.length, 0x80, 15, 0xde);
      for (const [key, item] of entries) {
        this.#string(key);
        this.value(item);
      }
    } else throw new TypeError(`MessagePack has no form for a ${typeof value}`);
  }

  #number(n: number): void {
    if (!Number.isSafeInteger(n) || Object.is(n, -0)) {
      const at = this.#take(9);
      this.#view.setUint8(at, 0xcb);
      this.#view.setFloat64(at + 1, n);
    } else if (n >= -32 && n < 128) this.#byte(n & 0xff);
    else if (n >= -0x80000000 && n <= 0x7fffffff) {
      const at = this.#take(5);
      this.#view.setUint8(at, 0xd2);
      this.#view.setInt32(at + 1, n);
    } else {
      const at = this.#take(9);
      this.#view.setUint8(at, 0xd3);
      this.#view.setBigInt64(at + 1, BigInt(n));
    }
  }

  #string(value: string): void {
    const bytes = utf8.encode(value);
    this.#head(bytes.length, 0xa0, 31, 0xda, 0xd9);
    // First make room: that may replace the buffer.
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A length: in the first byte where it fits, else in 1 (where the type has that form), 2 or 4 bytes behind it. */
  #head(length: number, short: number, most: number, long: number, tiny?: number): void {
    if (length <= most) this.#byte(short | length);
    else if (tiny !== undefined && length < 0x100) {
      this.#byte(tiny);
      this.#byte(length);
    } else if (length < 0x10000) {
      const at = this.#take(3);
      this.#view.setUint8(at, long);
      this.#view.setUint16(at + 1, length);
    } else {
      const at = this.#take(5);
      this.#view.setUint8(at, long + 1);
      this.#view.setUint32(at + 1, length);
    }
  }

  #byte(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }

  /** Makes room, and says where. */
  #take(length: number): number {
    const at = this.#end;
    this.#end += length;
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** Reading past the end throws a RangeError, by DataView. */
class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(buffer: ArrayBuffer) {
    this.#view = new DataView(buffer);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#view.byteLength;
  }

  value(): unknown {
    const head = this.#uint(1);
    if (head < 0x80) return head;
    if (head < 0x90) return this.#map(head & 15);
    if (head < 0xa0) return this.#array(head & 15);
    if (head < 0xc0) return this.#string(head & 31);
    if (head >= 0xe0) return head - 256;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (head - 0xcc));
      case 0xcf:
        return Number(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return Number(this.#view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (head - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (head - 0xde)));
      default:
        throw new TypeError(`unexpected MessagePack type 0x${head.toString(16)}`);
    }
  }

  #array(length: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value());
    return items;
  }

  #map(length: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let i = 0; i < length; i++) entries.push([String(this.value()), this.value()]);
    // Not by assignment: a key `__proto__` shall be a key.
    return Object.fromEntries(entries);
  }

  #string(length: number): string {
    const at = this.#skip(length);
    return text.decode(new Uint8Array(this.#view.buffer, at, length));
  }

  #uint(bytes: number): number {
    const at = this.#skip(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

/** The codec of `starling.v1.msgpack`. */
export const msgpack: Codec = {
  protocol: "starling.v1.msgpack",
  encode(envelope) {
    const writer = new Writer();
    writer.value(envelope);
    return writer.finish();
  },
  decode(frame) {
    const reader = new Reader(frame as ArrayBuffer);
    const envelope = reader.value();
    if (!reader.isAtEnd) throw new RangeError("bytes after the end of the envelope");
    return envelope as Envelope;
  },
};
