import type { Room, RoomSnapshot, RoomStatus, StarlingError } from "@starling/client";
import { type ComputedRef, computed, type MaybeRefOrGetter, type ShallowRef, toValue } from "vue";
import { useStarling } from "./provide.js";
import { useStore, watchNow } from "./store.js";

/** How a room is shown. */
export interface RoomOptions {
  /** Join it by itself: true by default. */
  join?: boolean;
  /** Messages that it is joined with: 50 by default, at most 100. */
  history?: number;
}

/**
 * A room, joined as soon as there is a connection. The end of the scope does not end the membership: `leave` does. With
 * the client's `followAll: false` it ends the live delivery.
 */
export function useRoom(
  roomId: MaybeRefOrGetter<string>,
  { join = true, history }: RoomOptions = {},
): {
  /** The room itself, for all else that it can do. */
  room: ComputedRef<Room>;
  status: ComputedRef<RoomStatus>;
  isJoining: ComputedRef<boolean>;
  isCatchingUp: ComputedRef<boolean>;
  info: ComputedRef<RoomSnapshot["info"]>;
  role: ComputedRef<RoomSnapshot["role"]>;
  onlineCount: ComputedRef<number | undefined>;
  receipts: ComputedRef<RoomSnapshot["receipts"]>;
  error: ComputedRef<StarlingError | undefined>;
  /** Joins, after a refusal or a leave. A refusal is in `error`, too. */
  join: () => Promise<void>;
  /** Ends the membership. */
  leave: () => Promise<void>;
} {
  const { room, snapshot } = useRoomStore(roomId);
  const options = history === undefined ? {} : { history };
  if (join) {
    watchNow(
      () => room.value,
      (present) => present.follow(options),
    );
  }
  return {
    room,
    status: computed(() => snapshot.value.status),
    isJoining: computed(() => snapshot.value.isJoining),
    isCatchingUp: computed(() => snapshot.value.isCatchingUp),
    info: computed(() => snapshot.value.info),
    role: computed(() => snapshot.value.role),
    onlineCount: computed(() => snapshot.value.onlineCount),
    receipts: computed(() => snapshot.value.receipts),
    error: computed(() => snapshot.value.error),
    join: () => room.value.join(options),
    leave: () => room.value.leave(),
  };
}

/** The store of a room, and its state. */
export function useRoomStore(roomId: MaybeRefOrGetter<string>): {
  room: ComputedRef<Room>;
  snapshot: Readonly<ShallowRef<RoomSnapshot>>;
} {
  const starling = useStarling();
  const room = computed(() => starling.room(toValue(roomId)));
  return { room, snapshot: useStore(room) };
}
