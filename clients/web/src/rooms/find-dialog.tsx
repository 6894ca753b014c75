import type { ListedRoom } from "@starling/client";
import { useStore } from "@starling/react";
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from "react";
import { go, type Route } from "../route.js";
import { useSigned } from "../starling.js";
import { Avatar } from "../ui/avatar.js";
import { Dialog } from "../ui/dialog.js";
import { Icon, type IconName } from "../ui/icon.js";
import { attempt } from "../ui/toasts.js";
import { idFrom, isRoomId, partnerOf, titleOf } from "./titles.js";
import { useRooms } from "./use-rooms.js";

/** More than that nobody reads: typing finds the rest. */
const SHOWN = 40;
const PUBLIC_PAGE = 200;

interface Option {
  key: string;
  label: string;
  detail: string;
  icon?: IconName;
  person?: string;
  run: () => void;
}

/** One place to go anywhere: rooms joined, public rooms, people; and to begin what is not there yet. */
export function FindDialog({ onClose, onNewRoom }: { onClose: () => void; onNewRoom: () => void }) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const listId = useId();
  const options = useOptions(query.trim(), onNewRoom);
  const current = Math.min(active, options.length - 1);

  const choose = (option: Option | undefined) => {
    if (!option) return;
    onClose();
    option.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setActive((current + step + options.length) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(options[current]);
    }
  };
  useEffect(() => {
    document.getElementById(`${listId}-${current}`)?.scrollIntoView({ block: "nearest" });
  }, [listId, current]);

  return (
    <Dialog title="Find or join" onClose={onClose}>
      <input
        className="find-input"
        type="text"
        role="combobox"
        aria-label="Name of a room or a person"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={`${listId}-${current}`}
        autoComplete="off"
        placeholder="Name of a room or a person"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id={listId} className="options" role="listbox" aria-label="Found">
        {options.map((option, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the combobox.
          <div
            key={option.key}
            id={`${listId}-${index}`}
            className="option"
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            onClick={() => choose(option)}
          >
            {option.person === undefined ? (
              <Icon name={option.icon ?? "hash"} />
            ) : (
              <Avatar id={option.person} name={option.label} size="s" />
            )}
            <span className="option-label">{option.label}</span>
            <small className="muted">{option.detail}</small>
          </div>
        ))}
      </div>
    </Dialog>
  );
}

function usePublicRooms(): readonly ListedRoom[] {
  const { starling } = useSigned();
  const [rooms, setRooms] = useState<readonly ListedRoom[]>([]);
  useEffect(() => {
    let isOver = false;
    attempt(
      starling.request("list_rooms", { scope: "public", limit: PUBLIC_PAGE }).then((page) => {
        if (!isOver) setRooms(page.rooms);
      }),
    );
    return () => {
      isOver = true;
    };
  }, [starling]);
  return rooms;
}

function useOptions(query: string, onNewRoom: () => void): readonly Option[] {
  const { starling, names, account } = useSigned();
  const known = useStore(names);
  const joined = useRooms();
  const listed = usePublicRooms();
  const me = account.userId;

  return useMemo(() => {
    const goTo = (route: Route) => () => go(route);
    const join = (roomId: string) => () =>
      attempt(starling.join(roomId).then(() => go({ page: "room", roomId })));
    const mine: Option[] = joined
      .filter((room) => partnerOf(room.roomId, me) === undefined)
      .map((room) => ({
        key: `joined ${room.roomId}`,
        label: titleOf(room, me, names),
        detail: room.unread ? `${room.unread} unread` : "",
        ...(room.info?.kind === "private" && { icon: "lock" as const }),
        run: goTo({ page: "room", roomId: room.roomId }),
      }));
    const ids = new Set(joined.map(({ roomId }) => roomId));
    const others: Option[] = listed
      .filter(({ roomId }) => !ids.has(roomId))
      .map(({ roomId, name, memberCount }) => ({
        key: `public ${roomId}`,
        label: name,
        detail: `Join · ${memberCount} ${memberCount === 1 ? "member" : "members"}`,
        run: join(roomId),
      }));
    const people: Option[] = [...known].map(([userId, name]) => ({
      key: `person ${userId}`,
      label: userId === me ? "Notes to myself" : name,
      detail: "Write to",
      person: userId,
      run: goTo({ page: "direct", userId }),
    }));
    const wanted = query.toLowerCase();
    const found = [...mine, ...others, ...people].filter(
      ({ key, label }) => label.toLowerCase().includes(wanted) || key.toLowerCase().includes(wanted),
    );
    const roomId = isRoomId(query) ? query : idFrom(query);
    const isThere = ids.has(roomId) || listed.some((room) => room.roomId === roomId);
    const own: Option[] = [];
    if (roomId && !isThere) {
      own.push({
        key: "join",
        label: `Join “${roomId}”`,
        detail: "By its id",
        icon: "add",
        run: join(roomId),
      });
    }
    if (isRoomId(query) && !known.has(query)) {
      const run = goTo({ page: "direct", userId: query });
      own.push({ key: "write", label: `Write to “${query}”`, detail: "By their id", icon: "people", run });
    }
    own.push({ key: "new", label: "New room…", detail: "", icon: "add", run: onNewRoom });
    return [...found.slice(0, SHOWN), ...own];
  }, [query, joined, listed, known, names, me, starling, onNewRoom]);
}
