import type { RoomMessage } from "@starling/client";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { MessageActions } from "./actions.js";
import { useGrowing } from "./use-growing.js";

/** In the place of a message that is being edited. */
export function MessageEditor({ message, actions }: { message: RoomMessage; actions: MessageActions }) {
  const [text, setText] = useState(message.content);
  const ref = useRef<HTMLTextAreaElement>(null);
  useGrowing(ref, text);
  useEffect(() => {
    const field = ref.current;
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
  }, []);
  const save = () => actions.save(message, text.trim());
  const cancel = () => actions.edit(undefined);
  const onKeyDown = (event: KeyboardEvent) => {
    // The list would take the arrows.
    event.stopPropagation();
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") cancel();
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  };
  return (
    <div className="message-editor">
      <textarea
        ref={ref}
        aria-label="Edit the message"
        rows={1}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="editor-actions">
        <button type="button" className="primary small" disabled={!text.trim()} onClick={save}>
          Save
        </button>
        <button type="button" className="small" onClick={cancel}>
          Cancel
        </button>
      </div>
    </div>
  );
}
