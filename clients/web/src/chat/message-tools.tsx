import type { RoomMessage } from "@starling/client";
import { useRef, useState } from "react";
import { useSigned } from "../starling.js";
import { QUICK } from "../text/emoji.js";
import { IconButton } from "../ui/button.js";
import { EmojiPicker } from "../ui/emoji-picker.js";
import { type MenuItem, MenuItems } from "../ui/menu.js";
import { Popover } from "../ui/popover.js";
import type { MessageActions } from "./actions.js";

interface MessageToolsProps {
  message: RoomMessage;
  isOwn: boolean;
  isModerator: boolean;
  isInThread: boolean;
  /** By the Tab key: only at the message that the keyboard is at. */
  isReachable: boolean;
  actions: MessageActions;
}

/** What can be done with a message, at its corner. */
export function MessageTools({
  message,
  isOwn,
  isModerator,
  isInThread,
  isReachable,
  actions,
}: MessageToolsProps) {
  const { account } = useSigned();
  const [open, setOpen] = useState<"emoji" | "more">();
  const anchor = useRef<HTMLDivElement>(null);
  const close = () => setOpen(undefined);
  const tabIndex = isReachable ? 0 : -1;
  const toggle = (emoji: string) => {
    actions.react(message, emoji, !message.reactions?.[emoji]?.users.includes(account.userId));
    close();
  };
  const root = message.thread ?? message.seq;
  const items: MenuItem[] = [{ label: "Copy text", icon: "copy", run: () => actions.copy(message) }];
  if (isOwn) items.push({ label: "Edit", icon: "edit", run: () => actions.edit(message) });
  if (isOwn || isModerator) {
    items.push({ label: "Delete…", icon: "trash", isDangerous: true, run: () => actions.ask(message) });
  }
  return (
    <div ref={anchor} className="message-tools" role="toolbar" aria-label="What to do with this message">
      {QUICK.slice(0, 3).map((emoji) => (
        <button
          key={emoji}
          type="button"
          className="icon-button quick"
          tabIndex={tabIndex}
          aria-label={`React with ${emoji}`}
          onClick={() => toggle(emoji)}
        >
          {emoji}
        </button>
      ))}
      <IconButton icon="smile" label="Other reaction" tabIndex={tabIndex} onClick={() => setOpen("emoji")} />
      <IconButton icon="reply" label="Reply" tabIndex={tabIndex} onClick={() => actions.reply(message)} />
      {!isInThread && root !== undefined && (
        <IconButton
          icon="thread"
          label="Thread"
          tabIndex={tabIndex}
          onClick={() => actions.openThread(root)}
        />
      )}
      <IconButton
        icon="more"
        label="More"
        tabIndex={tabIndex}
        aria-haspopup="menu"
        aria-expanded={open === "more"}
        onClick={() => setOpen("more")}
      />
      {open === "emoji" && <EmojiPicker anchor={anchor} onPick={toggle} onClose={close} />}
      {open === "more" && (
        <Popover anchor={anchor} label="More" role="menu" onClose={close}>
          <MenuItems items={items} onDone={close} />
        </Popover>
      )}
    </div>
  );
}
