/** One frame: a command, a reply or an event. The data's type follows from `type`. */
export interface Envelope {
  type: string;
  id?: number | string | undefined;
  data?: unknown;
}

/** How envelopes are put into frames. */
export interface Codec {
  /** The WebSocket subprotocol that chooses it. */
  readonly protocol: string;
  encode(envelope: Envelope): string | Uint8Array;
  decode(frame: string | ArrayBuffer): Envelope;
}

/** The codecs by name. */
export type CodecName = "json" | "msgpack";

const json: Codec = {
  protocol: "starling.v1.json",
  encode: (envelope) => JSON.stringify(envelope),
  decode: (frame) => JSON.parse(frame as string) as Envelope,
};

/** JSON is always there; MessagePack is a chunk of its own that is loaded when it is asked for. */
export async function loadCodec(name: CodecName): Promise<Codec> {
  return name === "json" ? json : (await import("./msgpack.js")).msgpack;
}

/** Bytes that a frame takes on the wire, counted exactly only where it may be over the limit. */
export function frameBytes(frame: string | Uint8Array, limit: number): number {
  if (typeof frame !== "string") return frame.length;
  return frame.length * 3 <= limit ? frame.length : new TextEncoder().encode(frame).length;
}
