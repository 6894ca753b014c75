import type { MemberView } from "@starling/client";
import type { ReactNode } from "react";
import { useMembers } from "../hooks/members.js";
import { usePresence } from "../hooks/presence.js";
import { PresenceIndicator } from "./presence-indicator.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = { list: "Members", more: "More members", loading: "Loading members…", retry: "Try again" };
/** Members whose presence is watched: a session may watch 500 users, and this is not all that it shows. */
const WATCHED = 200;

export type UserListProps = Props<
  "div",
  Labels<typeof LABELS> & {
    roomId: string;
    /** What to show of a member instead. */
    children?: (member: MemberView) => ReactNode;
  }
>;

/** Members of a room with their presence, page by page. */
export function UserList({ roomId, labels, children, className, ...rest }: UserListProps): ReactNode {
  const { members, hasMore, isLoading, error, loadMore } = useMembers(roomId);
  const presence = usePresence(members.slice(0, WATCHED).map(({ userId }) => userId));
  const texts = { ...LABELS, ...labels };
  return (
    <div {...rest} className={classes("starling-user-list", className)} aria-busy={isLoading}>
      <ul aria-label={texts.list}>
        {members.map((member) => {
          const status = presence[member.userId]?.status ?? member.status;
          const shown: MemberView = status === undefined ? member : { ...member, status };
          return (
            <li key={member.userId} data-role={member.role} data-muted={member.muted || undefined}>
              {children ? children(shown) : <Member member={shown} />}
            </li>
          );
        })}
      </ul>
      {error && <p role="alert">{error.message}</p>}
      {isLoading && <p role="status">{texts.loading}</p>}
      {!isLoading && (error || (hasMore && members.length > 0)) && (
        <button type="button" onClick={loadMore}>
          {error ? texts.retry : texts.more}
        </button>
      )}
    </div>
  );
}

function Member({ member: { userId, name, status, role } }: { member: MemberView }): ReactNode {
  return (
    <>
      <PresenceIndicator status={status} /> <span className="starling-user-name">{name ?? userId}</span>{" "}
      {role !== "member" && <span className="starling-user-role">{role}</span>}
    </>
  );
}
