import type { Attachment, ReactionCount, RoomMessage } from "@starling/client";
import type { ReactNode } from "react";
import type { Messages } from "../hooks/messages.js";
import { classes, type Labels, type Props, webLink } from "./props.js";

const LABELS = {
  deleted: "This message was deleted",
  edited: "edited",
  sending: "Sending…",
  failed: "Not sent",
  retry: "Try again",
  discard: "Discard",
};

/** What can be done with a message. */
export type MessageActions = Pick<Messages, "retry" | "discard" | "edit" | "remove" | "react" | "unreact">;

export type MessageItemProps = Props<
  "article",
  Labels<typeof LABELS> & {
    message: RoomMessage;
    actions: MessageActions;
    /** The own user: whose messages are `data-own`, and whose reactions are pressed. */
    me?: string | undefined;
  }
>;

/** One message. What others wrote is text, whatever it looks like. `data-state` has its state. */
export function MessageItem({
  message,
  actions,
  me,
  labels,
  className,
  ...rest
}: MessageItemProps): ReactNode {
  const { senderId, senderName, content, createdAt, editedAt, deletedAt, attachments } = message;
  const texts = { ...LABELS, ...labels };
  return (
    <article
      {...rest}
      className={classes("starling-message", className)}
      data-state={message.state}
      data-own={senderId === me || undefined}
      data-deleted={deletedAt !== undefined || undefined}
    >
      <header>
        <span className="starling-message-sender">{senderName ?? senderId}</span>{" "}
        <time dateTime={createdAt} title={new Date(createdAt).toLocaleString()}>
          {new Date(createdAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
        </time>{" "}
        {editedAt !== undefined && <span className="starling-message-edited">{texts.edited}</span>}
      </header>
      <p className="starling-message-content" dir="auto" style={{ whiteSpace: "pre-wrap" }}>
        {deletedAt === undefined ? content : texts.deleted}
      </p>
      {attachments && attachments.length > 0 && <Attachments attachments={attachments} />}
      <Reactions message={message} actions={actions} me={me} />
      <Delivery message={message} actions={actions} texts={texts} />
    </article>
  );
}

function Attachments({ attachments }: { attachments: readonly Attachment[] }): ReactNode {
  return (
    <ul className="starling-message-attachments">
      {attachments.map(({ url, name }) => (
        <li key={url}>
          <a href={webLink(url)} target="_blank" rel="noopener noreferrer nofollow">
            {name ?? url}
          </a>
        </li>
      ))}
    </ul>
  );
}

function Reactions({
  message,
  actions,
  me,
}: Pick<MessageItemProps, "message" | "actions" | "me">): ReactNode {
  const { seq, reactions } = message;
  const all = Object.entries<ReactionCount>(reactions ?? {});
  if (seq === undefined || !all.length) return null;
  return (
    <ul className="starling-message-reactions">
      {all.map(([emoji, { count, users }]) => {
        const isOwn = me !== undefined && users.includes(me);
        const toggle = () => (isOwn ? actions.unreact(seq, emoji) : actions.react(seq, emoji));
        return (
          <li key={emoji}>
            <button type="button" aria-pressed={isOwn} onClick={toggle}>
              {emoji} {count}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Delivery({
  message: { state, error, clientId },
  actions,
  texts,
}: Pick<MessageItemProps, "message" | "actions"> & { texts: typeof LABELS }): ReactNode {
  if (state === "sending") return <span className="starling-message-delivery">{texts.sending}</span>;
  if (state !== "failed" || clientId === undefined) return null;
  return (
    <div className="starling-message-delivery">
      <span role="alert">
        {texts.failed}: {error?.message}
      </span>{" "}
      <button type="button" onClick={() => actions.retry(clientId)}>
        {texts.retry}
      </button>{" "}
      <button type="button" onClick={() => actions.discard(clientId)}>
        {texts.discard}
      </button>
    </div>
  );
}
