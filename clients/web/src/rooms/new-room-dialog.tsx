import { StarlingError } from "@starling/client";
import { useStarling } from "@starling/react";
import { type FormEvent, useState } from "react";
import { go } from "../route.js";
import { Dialog } from "../ui/dialog.js";
import { idFrom } from "./titles.js";

export function NewRoomDialog({ onClose }: { onClose: () => void }) {
  const starling = useStarling();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [isPrivate, setIsPrivate] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);
  const roomId = idFrom(name);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setIsBusy(true);
    try {
      const room = await starling.createRoom({
        name: name.trim(),
        description: description.trim(),
        kind: isPrivate ? "private" : "public",
        // A name without a letter that fits into an id gets an id from the server.
        ...(roomId && { roomId }),
      });
      go({ page: "room", roomId: room.id });
      onClose();
    } catch (error) {
      const isTaken = error instanceof StarlingError && error.code === "room_exists";
      setProblem(
        isTaken ? `There is a room “${roomId}” already. Choose another name.` : (error as Error).message,
      );
      setIsBusy(false);
    }
  };

  return (
    <Dialog title="New room" onClose={onClose}>
      <form onSubmit={submit}>
        <label htmlFor="room-name">Name</label>
        <input
          id="room-name"
          value={name}
          maxLength={100}
          onChange={(event) => setName(event.target.value)}
          aria-describedby="room-id"
          required
        />
        <p id="room-id" className="hint">
          {roomId ? `Others join it as “${roomId}”` : "A few words that say what it is about"}
        </p>
        <label htmlFor="room-description">Description (optional)</label>
        <input
          id="room-description"
          value={description}
          maxLength={500}
          onChange={(event) => setDescription(event.target.value)}
        />
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            aria-checked={isPrivate}
            checked={isPrivate}
            onChange={() => setIsPrivate(!isPrivate)}
          />
          <span>
            Private<small className="muted">Only those who are invited find and join it</small>
          </span>
        </label>
        {problem && (
          <p className="form-problem" role="alert">
            {problem}
          </p>
        )}
        <div className="dialog-actions">
          <button type="submit" className="primary" disabled={isBusy || !name.trim()}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
