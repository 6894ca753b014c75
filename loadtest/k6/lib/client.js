// Stable under the name k6/websockets in later versions of k6.
import { WebSocket } from "k6/experimental/websockets";

import * as metrics from "./metrics.js";
import { socketUrl } from "./settings.js";
import { tokenOf } from "./token.js";

const PATIENCE_MS = 10000;

// One user with one socket, who keeps the account of the rooms that it follows.
export class Client {
  constructor(user) {
    this.user = user;
    this.rooms = new Map(); // room -> { next, cursor, caughtUp? }
    this.replies = new Map(); // id -> { resolve, socket }
    this.lastId = 0;
    this.onEnd = undefined; // the socket has ended without being asked to
    this.onMigrate = undefined; // the server asks to move, after so many milliseconds
  }

  // Answers when the server has said `welcome`; false when it does not.
  connect() {
    const began = Date.now();
    this.leaving = false;
    return new Promise((resolve) => {
      const socket = new WebSocket(socketUrl, null, {
        headers: { Authorization: `Bearer ${tokenOf(this.user)}` },
        tags: { name: "ws" },
      });
      this.socket = socket;
      const opened = (ok) => {
        if (resolve) {
          metrics.connected.add(ok);
          resolve(ok);
          resolve = null;
        }
      };
      this.welcomed = () => {
        metrics.connectToWelcome.add(Date.now() - began);
        opened(true);
      };
      socket.addEventListener("message", (message) => {
        const envelope = JSON.parse(message.data);
        // Of a socket that was cut or left, only answers count: events are replayed to the next one.
        if (this.socket === socket || envelope.id !== undefined) {
          this.take(envelope);
        }
      });
      socket.addEventListener("error", () => opened(false));
      socket.addEventListener("close", () => {
        opened(false);
        this.replies.forEach((reply) => reply.socket === socket && reply.resolve(undefined));
        if (this.leaving || this.socket !== socket) {
          return;
        }
        if (this.onEnd) {
          this.onEnd();
        } else {
          metrics.dropped.add(1);
        }
      });
    });
  }

  take(envelope) {
    const { type, id, data } = envelope;
    if (id !== undefined) {
      const reply = this.replies.get(id);
      if (reply) {
        reply.resolve(envelope);
      }
    } else if (type === "batch") {
      data.events.forEach((event) => this.take(event));
    } else if (type === "welcome") {
      this.welcomed();
    } else if (type === "migrate" && this.onMigrate) {
      this.onMigrate(data.afterMs);
    } else if (data.eventId !== undefined) {
      this.account(type, data);
    }
  }

  // Everything durable has the room's next seq.
  account(type, data) {
    const room = this.rooms.get(data.roomId);
    if (room === undefined || room.next === undefined) {
      return;
    }
    metrics.delivered.add(1);
    if (data.seq < room.next) {
      metrics.repeated.add(1);
      return;
    }
    if (data.seq > room.next) {
      metrics.missing.add(data.seq - room.next);
    }
    room.next = data.seq + 1;
    room.cursor = data.cursor;
    if (type === "message_created" && room.caughtUp === undefined) {
      const sentAt = Number(data.content.split(" ", 1)[0]);
      if (sentAt > 0) {
        metrics.sendToDeliver.add(Date.now() - sentAt);
      }
    }
    this.look(room);
  }

  // Whether what was missed has come.
  look(room) {
    if (room.caughtUp !== undefined && room.next > room.head) {
      room.caughtUp();
      room.caughtUp = undefined;
    }
  }

  // Sends a command; answers with its data, with null when it was refused or not answered, and with undefined when the
  // socket ended before.
  ask(type, data) {
    this.lastId += 1;
    const id = this.lastId;
    const socket = this.socket;
    return new Promise((resolve) => {
      const done = (envelope) => {
        clearTimeout(timer);
        this.replies.delete(id);
        const ok = envelope && envelope.type === "ok";
        if (!ok && envelope !== undefined) {
          metrics.refused.add(1, { command: type, code: envelope === null ? "no answer" : envelope.data.code });
        }
        resolve(ok ? envelope.data : envelope && null);
      };
      const timer = setTimeout(() => done(null), PATIENCE_MS);
      this.replies.set(id, { resolve: done, socket });
      socket.send(JSON.stringify({ type, id, data }));
    });
  }

  // Follows a room from where this user stands in it; answers when nothing is missing.
  async follow(roomId) {
    const room = this.rooms.get(roomId) || {};
    this.rooms.set(roomId, room);
    // Missed events may come together with the reply.
    const caughtUp = new Promise((resolve) => {
      room.head = Infinity;
      room.caughtUp = resolve;
    });
    const reply = await this.ask("subscribe", { rooms: [{ roomId, cursor: room.cursor }] });
    if (!reply) {
      return false;
    }
    const live = reply.rooms[0];
    if (live.error || live.limited) {
      metrics.refused.add(1, { command: "subscribe", code: live.limited ? "limited" : "error" });
      return false;
    }
    if (room.next === undefined) {
      room.next = live.head + 1;
      room.cursor = live.cursor;
    }
    room.head = live.head;
    this.look(room);
    await caughtUp;
    return true;
  }

  // `again` is waited for when the socket ended before the answer; then the same is said once more.
  async say(roomId, length, again) {
    const sentAt = Date.now();
    const content = `${sentAt} `.padEnd(length, "x");
    const clientId = `${this.user}-${sentAt}-${this.lastId}`;
    let sent;
    do {
      sent = await this.ask("send_message", { roomId, clientId, content });
    } while (sent === undefined && again && ((await again()), true));
    if (sent) {
      metrics.acked.add(1);
      metrics.sendToAck.add(Date.now() - sentAt);
    }
  }

  // Leaves as a browser does that is closed.
  close() {
    this.leaving = true;
    this.socket.close();
  }

  // Loses the socket as on a bad network; nothing that comes by it counts any more.
  cut() {
    const socket = this.socket;
    this.socket = null;
    socket.close();
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
