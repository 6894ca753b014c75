import type { NewMessage, Room, RoomMessage } from "@starling/client";
import { useConnection } from "@starling/react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useSigned } from "../starling.js";
import { IconButton } from "../ui/button.js";
import { EmojiPicker } from "../ui/emoji-picker.js";
import { Icon } from "../ui/icon.js";
import { Drafts } from "./drafts.js";
import { MentionList, useMentions } from "./mentions.js";
import { useGrowing } from "./use-growing.js";

const drafts = new Drafts();
/** From so many characters left on, their number is shown. */
const LEFT_SHOWN = 500;
const MAX_CONTENT = 10_000;

interface ComposerProps {
  room: Room;
  label: string;
  thread?: number;
  replyTo?: RoomMessage | undefined;
  onReplied?: () => void;
  onEditLast?: () => void;
}

/** Where one writes. What is not sent yet waits here, room by room. */
export function Composer({ room, label, thread, replyTo, onReplied, onEditLast }: ComposerProps) {
  const draftKey = thread === undefined ? room.id : `${room.id} ${thread}`;
  const [text, setText] = useState(() => drafts.get(draftKey));
  const [isPicking, setIsPicking] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const smile = useRef<HTMLSpanElement>(null);
  const mentions = useMentions(room, field, text, setText);
  const limit = useConnection().welcome?.limits.maxContentLength ?? MAX_CONTENT;
  const left = limit - [...text].length;
  useGrowing(field, text);
  useEffect(() => drafts.set(draftKey, text), [draftKey, text]);
  useEffect(() => {
    // Where a keyboard would come up, that is the user's to begin.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, []);
  useEffect(() => {
    if (replyTo) field.current?.focus();
  }, [replyTo]);

  const send = () => {
    const content = text.trim();
    if (!content || left < 0) return;
    const message: NewMessage = { content };
    const mentioned = mentions.in(content);
    if (mentioned.length) message.mentions = mentioned;
    if (replyTo?.seq !== undefined) message.replyTo = replyTo.seq;
    if (thread !== undefined) message.thread = thread;
    // What becomes of it is seen at the message.
    void room.send(message);
    setText("");
    onReplied?.();
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing || mentions.onKeyDown(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && !text) {
      event.preventDefault();
      onEditLast?.();
    } else if (event.key === "Escape") onReplied?.();
  };
  const pick = (emoji: string) => {
    const at = field.current?.selectionStart ?? text.length;
    setText(text.slice(0, at) + emoji + text.slice(at));
    setIsPicking(false);
    field.current?.focus();
  };
  return (
    <form
      className="composer"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        send();
      }}
    >
      {replyTo && <ReplyBar replyTo={replyTo} onCancel={() => onReplied?.()} />}
      <MentionList {...mentions.list} />
      <div className="composer-box">
        <textarea
          ref={field}
          rows={1}
          aria-label={label}
          placeholder={label}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            if (event.target.value) room.type();
            else room.stopTyping();
          }}
          onKeyDown={onKeyDown}
          {...mentions.field}
        />
        {left < LEFT_SHOWN && (
          <span className={left < 0 ? "left is-over" : "left"} role="status">
            {left}
          </span>
        )}
        <span ref={smile}>
          <IconButton icon="smile" label="Emoji" onClick={() => setIsPicking(true)} />
        </span>
        <button
          type="submit"
          className="icon-button send"
          aria-label="Send"
          title="Send"
          disabled={!text.trim() || left < 0}
        >
          <Icon name="send" />
        </button>
      </div>
      {isPicking && <EmojiPicker anchor={smile} onPick={pick} onClose={() => setIsPicking(false)} />}
    </form>
  );
}

function ReplyBar({ replyTo, onCancel }: { replyTo: RoomMessage; onCancel: () => void }) {
  const { names } = useSigned();
  return (
    <div className="reply-bar">
      <Icon name="reply" />
      <span className="reply-text">
        Reply to <strong>{replyTo.senderName ?? names.of(replyTo.senderId)}</strong>:{" "}
        {replyTo.content.slice(0, 120)}
      </span>
      <IconButton icon="close" label="Do not reply" onClick={onCancel} />
    </div>
  );
}
