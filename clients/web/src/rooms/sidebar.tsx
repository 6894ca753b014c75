import type { RoomSnapshot } from "@starling/client";
import { useConnection, useStore } from "@starling/react";
import { memo, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { claimsOf } from "../account/claims.js";
import { useIsWatched } from "../chat/watched.js";
import { Inbox } from "../people/inbox.js";
import { OwnStatusDialog, ownStatus } from "../people/own-status.js";
import { PresenceDot } from "../people/presence.js";
import { go, hrefOf } from "../route.js";
import { useSigned } from "../starling.js";
import { Avatar } from "../ui/avatar.js";
import { IconButton } from "../ui/button.js";
import { Icon } from "../ui/icon.js";
import { MenuButton } from "../ui/menu.js";
import { ThemeSwitch } from "../ui/theme-switch.js";
import { partnerOf, titleOf } from "./titles.js";
import { useDirectPeople } from "./use-direct-people.js";
import { useRooms } from "./use-rooms.js";

interface SidebarProps {
  roomId: string | undefined;
  isReady: boolean;
  onFind: () => void;
  onNewRoom: () => void;
  onSignOut: () => void;
}

const lastAt = (room: RoomSnapshot): string => room.messages.at(-1)?.createdAt ?? room.info?.createdAt ?? "";

export function Sidebar({ roomId, isReady, onFind, onNewRoom, onSignOut }: SidebarProps) {
  const { names, account } = useSigned();
  useStore(names);
  const rooms = useRooms();
  const me = account.userId;
  const [groups, direct] = useMemo(() => {
    const isDirect = (room: RoomSnapshot) => partnerOf(room.roomId, me) !== undefined;
    return [
      rooms.filter((room) => !isDirect(room)),
      rooms.filter(isDirect).sort((a, b) => (lastAt(a) < lastAt(b) ? 1 : -1)),
    ];
  }, [rooms, me]);
  const sorted = groups.toSorted((a, b) => titleOf(a, me, names).localeCompare(titleOf(b, me, names)));
  useDirectPeople(direct);

  return (
    <nav className="sidebar" aria-label="Rooms">
      <header className="sidebar-head">
        <a className="brand" href={hrefOf({ page: "home" })}>
          Starling
        </a>
        <Inbox />
        <IconButton icon="add" label="New room" onClick={onNewRoom} />
      </header>
      <button type="button" className="find-button" onClick={onFind}>
        <Icon name="search" />
        <span>Find or join</span>
        <kbd>Ctrl K</kbd>
      </button>
      <div className="sidebar-lists">
        <RoomGroup title="Rooms" rooms={sorted} roomId={roomId} />
        {isReady && !sorted.length && <p className="muted hint">You are in no room yet.</p>}
        {direct.length > 0 && <RoomGroup title="Direct messages" rooms={direct} roomId={roomId} />}
      </div>
      <Me onSignOut={onSignOut} />
    </nav>
  );
}

function RoomGroup({
  title,
  rooms,
  roomId,
}: {
  title: string;
  rooms: readonly RoomSnapshot[];
  roomId: string | undefined;
}) {
  const id = `list-${title.replace(" ", "-").toLowerCase()}`;
  return (
    <section>
      <h2 id={id}>{title}</h2>
      <ul aria-labelledby={id}>
        {rooms.map((room) => (
          <RoomItem key={room.roomId} room={room} isOpen={room.roomId === roomId} />
        ))}
      </ul>
    </section>
  );
}

const RoomItem = memo(function RoomItem({ room, isOpen }: { room: RoomSnapshot; isOpen: boolean }) {
  const { names, account, starling } = useSigned();
  useStore(names);
  const presence = useStore(starling.presence);
  const { roomId, info } = room;
  // What is being read is no news.
  const { unread, mentions } = useIsWatched() && isOpen ? { unread: 0, mentions: 0 } : room;
  const partner = partnerOf(roomId, account.userId);
  const title = titleOf(room, account.userId, names);
  const label = unread ? `${title}, ${unread} unread${mentions ? `, ${mentions} mention you` : ""}` : title;
  const href =
    partner === undefined ? hrefOf({ page: "room", roomId }) : hrefOf({ page: "direct", userId: partner });
  return (
    <li>
      <a
        className={unread ? "room-item is-unread" : "room-item"}
        href={href}
        aria-current={isOpen ? "page" : undefined}
        aria-label={label}
      >
        {partner === undefined ? (
          <Icon name={info?.kind === "private" ? "lock" : "hash"} />
        ) : (
          <span className="avatar-box">
            <Avatar id={partner} name={names.of(partner)} size="s" />
            <PresenceDot status={presence.get(partner)?.status} />
          </span>
        )}
        <span className="room-name">{title}</span>
        {unread > 0 && (
          <span className={mentions || partner !== undefined ? "badge is-mention" : "badge"}>
            {unread > 99 ? "99+" : unread}
          </span>
        )}
      </a>
    </li>
  );
});

function Me({ onSignOut }: { onSignOut: () => void }) {
  const { account } = useSigned();
  const [isStatusOpen, setIsStatusOpen] = useState(false);
  const own = useSyncExternalStore(ownStatus.subscribe, ownStatus.get);
  const { state } = useConnection();
  // As the others see it, once the server has noticed.
  const status = state !== "connected" || own.status === "invisible" ? "offline" : own.status;
  const { starling } = useSigned();
  useEffect(() => {
    const { status, text } = ownStatus.get();
    // The client itself says it again to later sessions.
    if (status !== "online" || text) starling.presence.set(status, text || null).catch(() => {});
  }, [starling]);
  const isAdmin = claimsOf(account.token)?.isAdmin;
  return (
    <footer className="me">
      <button type="button" className="me-button" onClick={() => setIsStatusOpen(true)}>
        <span className="avatar-box">
          <Avatar id={account.userId} name={account.name} />
          <PresenceDot status={status} />
        </span>
        <span className="me-text">
          <strong>{account.name}</strong>
          <small className="muted">{own.text || "Set a status"}</small>
        </span>
      </button>
      <MenuButton
        icon="more"
        label="Menu"
        items={[
          ...(isAdmin
            ? [{ label: "Administration", icon: "gauge" as const, run: () => go({ page: "admin" }) }]
            : []),
          { label: "Sign out", icon: "exit", run: onSignOut },
        ]}
      >
        <ThemeSwitch />
      </MenuButton>
      {isStatusOpen && <OwnStatusDialog onClose={() => setIsStatusOpen(false)} />}
    </footer>
  );
}
