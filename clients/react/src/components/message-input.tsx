import type { NewMessage } from "@starling/client";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useState } from "react";
import { useMessages } from "../hooks/messages.js";
import { useTyping } from "../hooks/typing.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = { message: "Message", send: "Send" };

export type MessageInputProps = Props<
  "form",
  Labels<typeof LABELS> & {
    roomId: string;
    /** Makes the message of what was typed: to add mentions, a reply, attachments. `null` sends nothing. */
    toMessage?: (content: string) => string | NewMessage | null;
    disabled?: boolean;
    placeholder?: string;
  }
>;

/** Where messages are typed: Enter sends, Shift+Enter begins a line. What was typed belongs to its room. */
export function MessageInput(props: MessageInputProps): ReactNode {
  return <Draft key={props.roomId} {...props} />;
}

function Draft({
  roomId,
  toMessage = (content) => content,
  disabled = false,
  placeholder,
  labels,
  className,
  onSubmit,
  ...rest
}: MessageInputProps): ReactNode {
  const [content, setContent] = useState("");
  const { send } = useMessages(roomId);
  const { type, stopTyping } = useTyping(roomId);
  const id = useId();
  const texts = { ...LABELS, ...labels };
  const isBlank = !content.trim();
  useEffect(() => stopTyping, [stopTyping]);

  const change = (value: string) => {
    setContent(value);
    if (value.trim()) type();
    else stopTyping();
  };
  const submit = (event: Parameters<NonNullable<MessageInputProps["onSubmit"]>>[0]) => {
    onSubmit?.(event);
    const isHandled = event.defaultPrevented;
    event.preventDefault();
    if (isBlank || disabled || isHandled) return;
    const message = toMessage(content);
    if (message === null) return;
    // What becomes of it is shown in the list.
    void send(message);
    setContent("");
  };
  const keyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // Enter may only choose a candidate of an input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };

  return (
    <form {...rest} className={classes("starling-message-input", className)} onSubmit={submit}>
      <label htmlFor={id}>{texts.message}</label>
      <textarea
        id={id}
        rows={1}
        value={content}
        disabled={disabled}
        placeholder={placeholder}
        onChange={(event) => change(event.target.value)}
        onKeyDown={keyDown}
      />
      <button type="submit" disabled={disabled || isBlank}>
        {texts.send}
      </button>
    </form>
  );
}
