import type { Room, RoomMessage } from "@starling/client";
import { Dialog } from "../ui/dialog.js";
import { attempt } from "../ui/toasts.js";

interface DeleteDialogProps {
  room: Room;
  message: RoomMessage;
  onClose: () => void;
}

export function DeleteDialog({ room, message: { seq, content }, onClose }: DeleteDialogProps) {
  const remove = () => {
    if (seq !== undefined) attempt(room.delete(seq));
    onClose();
  };
  return (
    <Dialog title="Delete this message?" onClose={onClose}>
      <blockquote className="excerpt">{content}</blockquote>
      <p className="muted">Everybody in the room sees that it was deleted. It does not come back.</p>
      <div className="dialog-actions">
        <button type="button" onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="dangerous" onClick={remove}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
