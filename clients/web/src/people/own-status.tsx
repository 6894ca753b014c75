import type { OwnStatus } from "@starling/client";
import { useStarling } from "@starling/react";
import { type FormEvent, useState } from "react";
import { kept } from "../kept.js";
import { Dialog } from "../ui/dialog.js";
import { attempt } from "../ui/toasts.js";

export interface Own {
  status: OwnStatus;
  text: string;
}

const STATUSES: readonly (readonly [OwnStatus, string, string])[] = [
  ["online", "Online", "Others see that you are here"],
  ["away", "Away", "Others see that you may not answer soon"],
  ["busy", "Busy", "Others see that you do not want to be disturbed"],
  ["invisible", "Invisible", "Others see you as offline"],
];

const MAX_TEXT = 80;

/** Kept by the tab: a session tells the server again, and the server keeps none without a session. */
export const ownStatus = kept(
  "starling.status",
  (value): Own => ({ status: "online", text: "", ...(value as Partial<Own> | undefined) }),
  true,
);

export function OwnStatusDialog({ onClose }: { onClose: () => void }) {
  const { presence } = useStarling();
  const [{ status, text }, setOwn] = useState(ownStatus.get);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const own = { status, text: text.trim() };
    ownStatus.set(own);
    attempt(presence.set(own.status, own.text || null));
    onClose();
  };
  return (
    <Dialog title="Your status" onClose={onClose}>
      <form onSubmit={submit}>
        <fieldset className="choices">
          <legend className="visually-hidden">Status</legend>
          {STATUSES.map(([value, label, meaning]) => (
            <label key={value} className="choice">
              <input
                type="radio"
                name="status"
                value={value}
                checked={status === value}
                onChange={() => setOwn({ status: value, text })}
              />
              <span className={`presence is-${value === "invisible" ? "offline" : value}`} />
              <span>
                {label}
                <small className="muted">{meaning}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <label htmlFor="status-text">What are you up to?</label>
        <input
          id="status-text"
          value={text}
          maxLength={MAX_TEXT}
          onChange={(event) => setOwn({ status, text: event.target.value })}
          placeholder="In a meeting, on the train, …"
        />
        <div className="dialog-actions">
          <button type="submit" className="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
