import type { NewMessage, Room, RoomMessage, RoomSnapshot, StarlingError } from "@starling/client";
import { useMemo, useState } from "react";
import { useRoomStore } from "./room.js";
import { useSelected } from "./store.js";

const partOf = (snapshot: RoomSnapshot) => ({
  messages: snapshot.messages,
  hasMore: snapshot.hasMore,
  isLoadingOlder: snapshot.isLoadingOlder,
});

/** Messages of a room, and what can be done with them. The functions stay the same from render to render. */
export interface Messages {
  /** Oldest first; those that are not sent yet at the end. */
  readonly messages: readonly RoomMessage[];
  /** Whether there are older ones. */
  readonly hasMore: boolean;
  readonly isLoadingOlder: boolean;
  /** Why older ones could not be loaded; until they are. */
  readonly loadError: StarlingError | undefined;
  /** Pages upwards. Never rejects: see `loadError`. */
  readonly loadOlder: (limit?: number) => Promise<void>;
  /** Shown at once as `sending`; what becomes of it is in the message's `state`, and told by the promise. */
  readonly send: Room["send"];
  /** Sends a failed message again, by its `clientId`. */
  readonly retry: Room["retry"];
  /** Gives a failed message up. */
  readonly discard: Room["discard"];
  readonly edit: Room["edit"];
  readonly remove: Room["delete"];
  readonly react: Room["react"];
  readonly unreact: Room["unreact"];
  /** Moves the read marker, by default to the last message. */
  readonly markRead: Room["markRead"];
}

/** Messages of a room that something joins, such as {@link useRoom}. */
export function useMessages(roomId: string): Messages {
  const room = useRoomStore(roomId);
  const part = useSelected(room, partOf);
  const [failure, setFailure] = useState<{ room: Room; error: StarlingError }>();
  const actions = useMemo(
    () => ({
      loadOlder: async (limit?: number) => {
        try {
          await room.loadOlder(limit);
          setFailure(undefined);
        } catch (error) {
          setFailure({ room, error: error as StarlingError });
        }
      },
      send: (message: string | NewMessage) => room.send(message),
      retry: (clientId: string) => room.retry(clientId),
      discard: (clientId: string) => room.discard(clientId),
      edit: (seq: number, content: string) => room.edit(seq, content),
      remove: (seq: number) => room.delete(seq),
      react: (seq: number, emoji: string) => room.react(seq, emoji),
      unreact: (seq: number, emoji: string) => room.unreact(seq, emoji),
      markRead: (seq?: number) => room.markRead(seq),
    }),
    [room],
  );
  return { ...part, ...actions, loadError: failure?.room === room ? failure.error : undefined };
}
