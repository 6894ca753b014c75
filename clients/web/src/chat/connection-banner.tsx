import { useConnection } from "@starling/react";
import { useEffect, useState } from "react";
import { Icon } from "../ui/icon.js";

/** Shorter interruptions are nobody's concern. */
const PATIENCE_MS = 700;

/** Says that the connection is lost, and what becomes of it. */
export function ConnectionBanner({ onSignOut }: { onSignOut: () => void }) {
  const { state, retryAt, error, reason, connect, retry } = useConnection();
  const isAway = state !== "connected";
  const isLong = useLasting(isAway, PATIENCE_MS);
  const seconds = useCountdown(state === "disconnected" ? undefined : retryAt);

  return (
    <div role="status" className="banner-area">
      {isAway && isLong && state === "disconnected" && (
        <div className="banner is-ended">
          <Icon name="warning" />
          <span className="banner-text">Disconnected. {error?.message ?? reason}</span>
          <button type="button" onClick={connect}>
            Reconnect
          </button>
          <button type="button" onClick={onSignOut}>
            Sign out
          </button>
        </div>
      )}
      {isAway && isLong && state !== "disconnected" && (
        <div className="banner">
          <span className="spinner" />
          <span className="banner-text">
            {state === "connecting" ? "Connecting" : "Connection lost. Reconnecting"}
            {/* Read out once, not at every second. */}
            <span aria-hidden="true">{seconds ? ` in ${seconds} s.` : "…"}</span>
            {state === "reconnecting" && <small> What you write is kept and sent then.</small>}
          </span>
          <button type="button" onClick={retry}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}

/** Whether something has been so for a while. */
function useLasting(isSo: boolean, ms: number): boolean {
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    if (!isSo) return setLasts(false);
    const timer = setTimeout(() => setLasts(true), ms);
    return () => clearTimeout(timer);
  }, [isSo, ms]);
  return lasts;
}

/** Seconds until then; `undefined` when that is over. */
function useCountdown(until: number | undefined): number | undefined {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (until === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  const left = until === undefined ? 0 : Math.ceil((until - now) / 1000);
  return left > 0 ? left : undefined;
}
