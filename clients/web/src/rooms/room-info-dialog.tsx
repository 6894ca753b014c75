import type { Room, RoomSnapshot } from "@starling/client";
import { useStarling } from "@starling/react";
import { type FormEvent, useState } from "react";
import { go } from "../route.js";
import { Dialog } from "../ui/dialog.js";
import { attempt } from "../ui/toasts.js";

interface RoomInfoProps {
  room: Room;
  snapshot: RoomSnapshot;
  title: string;
  onClose: () => void;
}

/** What a room is, whom to invite, and the way out. */
export function RoomInfoDialog({ room, snapshot: { info, role }, title, onClose }: RoomInfoProps) {
  const starling = useStarling();
  const [invited, setInvited] = useState("");
  const [said, setSaid] = useState("");
  const link = `${location.origin}${location.pathname}#/r/${encodeURIComponent(room.id)}`;
  const canInvite = role === "owner" || role === "admin" || role === "moderator";

  const invite = (event: FormEvent) => {
    event.preventDefault();
    const userId = invited.trim();
    const done = starling.request("invite", { roomId: room.id, userId });
    done.then(
      () => {
        setInvited("");
        setSaid(`${userId} is invited.`);
      },
      (error: Error) => setSaid(error.message),
    );
  };
  const leave = () => {
    onClose();
    go({ page: "home" });
    attempt(room.leave());
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {info?.description && <p>{info.description}</p>}
      <dl className="facts">
        <dt>Id</dt>
        <dd>{room.id}</dd>
        <dt>Kind</dt>
        <dd>{info?.kind === "private" ? "Private: by invitation" : "Public: everybody may join"}</dd>
        <dt>Members</dt>
        <dd>{info?.memberCount ?? "–"}</dd>
        <dt>Your role</dt>
        <dd>{role ?? "–"}</dd>
      </dl>
      <label htmlFor="room-link">Link to this room</label>
      <input id="room-link" readOnly value={link} onFocus={(event) => event.target.select()} />
      {canInvite && (
        <form className="inline-form" onSubmit={invite}>
          <label htmlFor="invite-user">Invite somebody by their id</label>
          <div>
            <input
              id="invite-user"
              value={invited}
              onChange={(event) => setInvited(event.target.value)}
              required
            />
            <button type="submit" disabled={!invited.trim()}>
              Invite
            </button>
          </div>
        </form>
      )}
      <p className="hint" role="status">
        {said}
      </p>
      <div className="dialog-actions">
        <button type="button" className="dangerous" onClick={leave}>
          Leave the room
        </button>
      </div>
    </Dialog>
  );
}
