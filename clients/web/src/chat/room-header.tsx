import type { Room, RoomSnapshot } from "@starling/client";
import { usePresence } from "@starling/react";
import { useState } from "react";
import { describePresence, PresenceDot } from "../people/presence.js";
import { RoomInfoDialog } from "../rooms/room-info-dialog.js";
import { partnerOf } from "../rooms/titles.js";
import { hrefOf } from "../route.js";
import { useSigned } from "../starling.js";
import { Avatar } from "../ui/avatar.js";
import { IconButton } from "../ui/button.js";
import { Icon } from "../ui/icon.js";

interface RoomHeaderProps {
  room: Room;
  snapshot: RoomSnapshot;
  title: string;
  isPanelOpen: boolean;
  onTogglePanel: () => void;
}

export function RoomHeader({ room, snapshot, title, isPanelOpen, onTogglePanel }: RoomHeaderProps) {
  const { account } = useSigned();
  const [isInfoOpen, setIsInfoOpen] = useState(false);
  const { info, isCatchingUp } = snapshot;
  const partner = partnerOf(snapshot.roomId, account.userId);
  const watched = usePresence(partner === undefined ? [] : [partner]);
  const presence = partner === undefined ? undefined : watched[partner];
  const detail = partner === undefined ? info?.description : describePresence(presence);
  return (
    <header className="room-head">
      <a className="icon-button to-list" href={hrefOf({ page: "home" })} aria-label="Back to the rooms">
        <Icon name="back" />
      </a>
      {partner === undefined ? (
        <span className="room-mark">
          <Icon name={info?.kind === "private" ? "lock" : "hash"} />
        </span>
      ) : (
        <span className="avatar-box">
          <Avatar id={partner} name={title} />
          <PresenceDot status={presence?.status} />
        </span>
      )}
      <div className="room-title">
        <h1>{title}</h1>
        {detail && <p className="muted">{detail}</p>}
      </div>
      {isCatchingUp && <span className="catching-up muted">Catching up…</span>}
      {partner === undefined && (
        <>
          <button
            type="button"
            className="icon-button with-count"
            aria-expanded={isPanelOpen}
            aria-label={`Members${info ? `, ${info.memberCount}` : ""}`}
            title="Members"
            onClick={onTogglePanel}
          >
            <Icon name="people" />
            {info && <span aria-hidden="true">{info.memberCount}</span>}
          </button>
          <IconButton icon="info" label="About this room" onClick={() => setIsInfoOpen(true)} />
        </>
      )}
      {isInfoOpen && (
        <RoomInfoDialog room={room} snapshot={snapshot} title={title} onClose={() => setIsInfoOpen(false)} />
      )}
    </header>
  );
}
