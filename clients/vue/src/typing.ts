import { type ComputedRef, computed, type MaybeRefOrGetter } from "vue";
import { useRoomStore } from "./room.js";

/** Who is typing in a room, and how to say that one does. */
export function useTyping(roomId: MaybeRefOrGetter<string>): {
  /** Ids of the others who are typing. */
  typing: ComputedRef<readonly string[]>;
  /** To be called at every key stroke: the others are told every two seconds. */
  type: () => void;
  /** The text was given up. Sending says so by itself. */
  stopTyping: () => void;
} {
  const { room, snapshot } = useRoomStore(roomId);
  return {
    typing: computed(() => snapshot.value.typing),
    type: () => room.value.type(),
    stopTyping: () => room.value.stopTyping(),
  };
}
