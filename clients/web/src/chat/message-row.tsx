import type { RoomMessage } from "@starling/client";
import { memo, useState } from "react";
import { useSigned } from "../starling.js";
import { Content } from "../text/content.js";
import { safeHref } from "../text/links.js";
import { fullTimeOf, timeOf } from "../text/time.js";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icon.js";
import type { MessageActions } from "./actions.js";
import { MessageEditor } from "./message-editor.js";
import { MessageTools } from "./message-tools.js";
import { Reactions } from "./reactions.js";

export interface MessageRowProps {
  message: RoomMessage;
  /** Shows who wrote it; those that follow stand under the same name. */
  isHead: boolean;
  /** The one that the keyboard is at. */
  isActive: boolean;
  isEditing: boolean;
  /** May delete what others wrote. */
  isModerator: boolean;
  /** The message that it answers, where it is loaded. */
  quoted: RoomMessage | undefined;
  /** Who has read it: names. */
  seenBy: string | undefined;
  isInThread?: boolean;
  actions: MessageActions;
}

export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { message, isHead, isActive, isEditing, isModerator, quoted, seenBy, isInThread, actions } = props;
  const { account, names } = useSigned();
  const [isNear, setIsNear] = useState(false);
  const { senderId, createdAt, deletedAt, state } = message;
  const name = message.senderName ?? names.of(senderId);
  const isOwn = senderId === account.userId;
  const hasTools = !deletedAt && state === "sent" && !isEditing && isNear;
  const classes = ["message", isHead ? "is-head" : "", isOwn ? "is-own" : "", `is-${state}`];
  const mentionsMe = message.mentions?.includes(account.userId);
  if (mentionsMe) classes.push("mentions-me");
  return (
    <article
      className={classes.filter(Boolean).join(" ")}
      aria-label={`${name}, ${timeOf(createdAt)}`}
      data-key={message.key}
      tabIndex={isActive ? 0 : -1}
      onPointerEnter={() => setIsNear(true)}
      onPointerLeave={() => setIsNear(false)}
      onFocus={() => setIsNear(true)}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setIsNear(false);
      }}
    >
      <div className="message-gutter">
        {isHead ? (
          <Avatar id={senderId} name={name} />
        ) : (
          <time dateTime={createdAt} title={fullTimeOf(createdAt)}>
            {timeOf(createdAt)}
          </time>
        )}
      </div>
      <div className="message-body">
        {isHead && (
          <p className="message-head">
            <strong className="message-sender">{name}</strong>
            <time dateTime={createdAt} title={fullTimeOf(createdAt)}>
              {timeOf(createdAt)}
            </time>
          </p>
        )}
        {message.replyTo !== undefined && !deletedAt && (
          <Quote seq={message.replyTo} quoted={quoted} onJump={actions.jump} />
        )}
        {message.thread !== undefined && !isInThread && !deletedAt && (
          <ThreadMark seq={message.thread} onOpen={actions.openThread} />
        )}
        {isEditing ? (
          <MessageEditor message={message} actions={actions} />
        ) : (
          <MessageText message={message} />
        )}
        {!deletedAt && <Attachments message={message} />}
        {!deletedAt && <Reactions message={message} onReact={actions.react} />}
        {message.replyCount > 0 && !isInThread && message.seq !== undefined && (
          <ThreadButton seq={message.seq} count={message.replyCount} onOpen={actions.openThread} />
        )}
        <MessageState message={message} actions={actions} />
        {seenBy && <p className="seen-by">Seen by {seenBy}</p>}
      </div>
      {hasTools && (
        <MessageTools
          message={message}
          isOwn={isOwn}
          isModerator={isModerator}
          isInThread={isInThread ?? false}
          isReachable={isActive}
          actions={actions}
        />
      )}
    </article>
  );
});

function MessageText({ message }: { message: RoomMessage }) {
  const { names } = useSigned();
  const { content, deletedAt, editedAt, mentions } = message;
  if (deletedAt) return <p className="content is-deleted">This message was deleted.</p>;
  const mentioned = mentions?.map((userId) => names.of(userId)).join("\n") ?? "";
  return (
    <>
      <Content text={content} names={mentioned} />
      {editedAt && (
        <span className="edited" title={fullTimeOf(editedAt)}>
          edited
        </span>
      )}
    </>
  );
}

/** Longer than a line is not shown anyway. */
const EXCERPT = 160;

function Quote({
  seq,
  quoted,
  onJump,
}: {
  seq: number;
  quoted: RoomMessage | undefined;
  onJump: (seq: number) => void;
}) {
  const { names } = useSigned();
  const text = quoted?.deletedAt ? "This message was deleted." : quoted?.content.slice(0, EXCERPT);
  return (
    <button type="button" className="quote" onClick={() => onJump(seq)}>
      <Icon name="reply" />
      {quoted ? (
        <>
          <strong>{quoted.senderName ?? names.of(quoted.senderId)}</strong>
          <span dir="auto">{text}</span>
        </>
      ) : (
        <span>an earlier message</span>
      )}
    </button>
  );
}

function ThreadMark({ seq, onOpen }: { seq: number; onOpen: (seq: number) => void }) {
  return (
    <button type="button" className="quote" onClick={() => onOpen(seq)}>
      <Icon name="thread" />
      <span>in a thread</span>
    </button>
  );
}

function ThreadButton({ seq, count, onOpen }: { seq: number; count: number; onOpen: (seq: number) => void }) {
  return (
    <button type="button" className="thread-button" onClick={() => onOpen(seq)}>
      <Icon name="thread" />
      {count === 1 ? "1 reply" : `${count} replies`}
    </button>
  );
}

function Attachments({ message: { attachments = [] } }: { message: RoomMessage }) {
  if (!attachments.length) return null;
  return (
    <ul className="attachments">
      {attachments.map(({ url, name }) => {
        const href = safeHref(url);
        const label = name ?? url;
        return (
          <li key={url}>
            {href ? (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow">
                {label}
              </a>
            ) : (
              label
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** On its way, or why not. Nothing, when it was sent: that is how it should be. */
function MessageState({ message, actions }: { message: RoomMessage; actions: MessageActions }) {
  if (message.state === "sent") return null;
  if (message.state === "sending") {
    return (
      <p className="message-state">
        <Icon name="clock" /> Sending…
      </p>
    );
  }
  return (
    <p className="message-state is-failed" role="alert">
      <Icon name="warning" />
      <span>Not sent: {message.error?.message ?? "the server did not take it"}</span>
      <button type="button" className="link-button" onClick={() => actions.retry(message)}>
        Try again
      </button>
      <button type="button" className="link-button" onClick={() => actions.discard(message)}>
        Discard
      </button>
    </p>
  );
}
