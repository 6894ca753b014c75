import type { Room, RoomMessage } from "@starling/client";
import { attempt, toasts } from "../ui/toasts.js";

/** What can be done with a message. */
export interface MessageActions {
  reply(message: RoomMessage): void;
  edit(message: RoomMessage | undefined): void;
  save(message: RoomMessage, content: string): void;
  ask(message: RoomMessage): void;
  openThread(seq: number): void;
  react(message: RoomMessage, emoji: string, isOn: boolean): void;
  retry(message: RoomMessage): void;
  discard(message: RoomMessage): void;
  copy(message: RoomMessage): void;
  jump(seq: number): void;
}

interface Shown {
  reply(message: RoomMessage): void;
  edit(key: string | undefined): void;
  /** Asks whether it is to be deleted. */
  ask(message: RoomMessage): void;
  openThread(seq: number): void;
  jump(seq: number): void;
}

export function messageActions(room: Room, shown: Shown): MessageActions {
  return {
    ...shown,
    edit: (message) => shown.edit(message?.key),
    save({ seq, content: before }, content) {
      shown.edit(undefined);
      if (seq !== undefined && content && content !== before) attempt(room.edit(seq, content));
    },
    react({ seq }, emoji, isOn) {
      if (seq !== undefined) attempt(isOn ? room.react(seq, emoji) : room.unreact(seq, emoji));
    },
    retry({ clientId }) {
      // What becomes of it is seen at the message.
      if (clientId !== undefined) void room.retry(clientId);
    },
    discard({ clientId }) {
      if (clientId !== undefined) room.discard(clientId);
    },
    copy({ content }) {
      if (navigator.clipboard) attempt(navigator.clipboard.writeText(content));
      else toasts.say("The browser lets only pages from https copy. Select the text and copy it by hand.");
    },
  };
}
