import type { MemberView, Role, Room, RoomSnapshot, Status } from "@starling/client";
import { useStarling } from "@starling/react";
import { useEffect } from "react";
import { go } from "../route.js";
import { useSigned } from "../starling.js";
import { Avatar } from "../ui/avatar.js";
import { IconButton } from "../ui/button.js";
import { MenuButton, type MenuItem } from "../ui/menu.js";
import { attempt } from "../ui/toasts.js";
import { PresenceDot } from "./presence.js";

const ROLES: readonly Role[] = ["guest", "member", "moderator", "admin", "owner"];
const rank = (role: Role | undefined): number => (role ? ROLES.indexOf(role) : -1);
/** Of those beyond, the list tells how they were when it was loaded. */
const WATCHED = 200;
const PRESENT: readonly Status[] = ["online", "busy", "away"];
const isHere = ({ status }: MemberView): boolean => status !== undefined && PRESENT.includes(status);

interface MembersPanelProps {
  room: Room;
  snapshot: RoomSnapshot;
  onClose: () => void;
}

/** Who is in the room: those who are there first. */
export function MembersPanel({ room, snapshot, onClose }: MembersPanelProps) {
  const { starling, names } = useSigned();
  const { members, hasMoreMembers, role } = snapshot;
  const isEmpty = members.length === 0;
  useEffect(() => {
    if (isEmpty) attempt(room.loadMembers());
  }, [room, isEmpty]);
  const ids = members.map(({ userId }) => userId).join("\n");
  useEffect(() => {
    names.learn(room.getSnapshot().members);
    if (ids) return starling.presence.follow(ids.split("\n").slice(0, WATCHED));
  }, [starling, names, room, ids]);

  const byName = members.toSorted((a, b) => (a.name ?? a.userId).localeCompare(b.name ?? b.userId));
  const here = byName.filter(isHere);
  const away = byName.filter((member) => !isHere(member));
  return (
    <aside className="panel" aria-label="Members">
      <header className="panel-head">
        <h2>Members</h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      <div className="panel-body">
        <MemberGroup title="Here now" members={here} room={room} role={role} />
        <MemberGroup title="Not here" members={away} room={room} role={role} />
        {hasMoreMembers && !isEmpty && (
          <button type="button" className="link-button" onClick={() => attempt(room.loadMembers())}>
            Show more
          </button>
        )}
      </div>
    </aside>
  );
}

interface MemberGroupProps {
  title: string;
  members: readonly MemberView[];
  room: Room;
  role: Role | undefined;
}

function MemberGroup({ title, members, room, role }: MemberGroupProps) {
  if (!members.length) return null;
  return (
    <section>
      <h3>
        {title} <span className="muted">{members.length}</span>
      </h3>
      <ul className="members">
        {members.map((member) => (
          <MemberItem key={member.userId} member={member} room={room} role={role} />
        ))}
      </ul>
    </section>
  );
}

function MemberItem({ member, room, role }: { member: MemberView; room: Room; role: Role | undefined }) {
  const { account } = useSigned();
  const { userId, status } = member;
  const name = member.name ?? userId;
  const items = useMemberActions(member, room.id, role);
  return (
    <li className="member">
      <span className="avatar-box">
        <Avatar id={userId} name={name} size="s" />
        <PresenceDot status={status} />
      </span>
      <span className="member-name">
        {name}
        {userId === account.userId && <small className="muted"> you</small>}
        {member.muted && <small className="muted"> muted</small>}
      </span>
      {rank(member.role) > rank("member") && <span className="tag">{member.role}</span>}
      <MenuButton icon="more" label={`What to do with ${name}`} items={items} />
    </li>
  );
}

/** What one may do with a member; moderators with those below them. */
function useMemberActions(
  { userId, role, muted }: MemberView,
  roomId: string,
  own: Role | undefined,
): MenuItem[] {
  const starling = useStarling();
  const { account } = useSigned();
  const write: MenuItem = {
    label: userId === account.userId ? "Notes to myself" : "Write to",
    icon: "thread",
    run: () => go({ page: "direct", userId }),
  };
  const isBelow = userId !== account.userId && rank(own) > rank(role);
  if (!isBelow || rank(own) < rank("moderator")) return [write];
  const target = { roomId, userId };
  const items: MenuItem[] = [write];
  if (rank(own) >= rank("admin")) {
    const next: Role = role === "moderator" ? "member" : "moderator";
    const label = next === "moderator" ? "Make moderator" : "Make member";
    items.push({
      label,
      icon: "check",
      run: () => attempt(starling.request("set_role", { ...target, role: next })),
    });
  }
  items.push(
    {
      label: muted ? "Unmute" : "Mute",
      icon: "bell",
      run: () => attempt(starling.request(muted ? "unmute" : "mute", target)),
    },
    {
      label: "Remove from the room",
      icon: "exit",
      isDangerous: true,
      run: () => attempt(starling.request("kick", target)),
    },
    { label: "Ban", icon: "close", isDangerous: true, run: () => attempt(starling.request("ban", target)) },
  );
  return items;
}
