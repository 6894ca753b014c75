import type { Room, RoomMessage, StarlingError } from "@starling/client";
import { type ComputedRef, computed, type MaybeRefOrGetter, shallowRef } from "vue";
import { useRoomStore } from "./room.js";

/** Messages of a room that something joins, such as {@link useRoom}, and what can be done with them. */
export function useMessages(roomId: MaybeRefOrGetter<string>): {
  /** Oldest first; those that are not sent yet at the end. */
  messages: ComputedRef<readonly RoomMessage[]>;
  /** Whether there are older ones. */
  hasMore: ComputedRef<boolean>;
  isLoadingOlder: ComputedRef<boolean>;
  /** Why older ones could not be loaded; until they are. */
  loadError: ComputedRef<StarlingError | undefined>;
  /** Pages upwards. Never rejects: see `loadError`. */
  loadOlder: (limit?: number) => Promise<void>;
  /** Shown at once as `sending`; what becomes of it is in the message's `state`, and told by the promise. */
  send: Room["send"];
  /** Sends a failed message again, by its `clientId`. */
  retry: Room["retry"];
  /** Gives a failed message up. */
  discard: Room["discard"];
  edit: Room["edit"];
  remove: Room["delete"];
  react: Room["react"];
  unreact: Room["unreact"];
  /** Moves the read marker, by default to the last message. */
  markRead: Room["markRead"];
} {
  const { room, snapshot } = useRoomStore(roomId);
  const failure = shallowRef<{ room: Room; error: StarlingError }>();
  return {
    messages: computed(() => snapshot.value.messages),
    hasMore: computed(() => snapshot.value.hasMore),
    isLoadingOlder: computed(() => snapshot.value.isLoadingOlder),
    loadError: computed(() => (failure.value?.room === room.value ? failure.value.error : undefined)),
    loadOlder: async (limit) => {
      const present = room.value;
      try {
        await present.loadOlder(limit);
        failure.value = undefined;
      } catch (error) {
        failure.value = { room: present, error: error as StarlingError };
      }
    },
    send: (message) => room.value.send(message),
    retry: (clientId) => room.value.retry(clientId),
    discard: (clientId) => room.value.discard(clientId),
    edit: (seq, content) => room.value.edit(seq, content),
    remove: (seq) => room.value.delete(seq),
    react: (seq, emoji) => room.value.react(seq, emoji),
    unreact: (seq, emoji) => room.value.unreact(seq, emoji),
    markRead: (seq) => room.value.markRead(seq),
  };
}
