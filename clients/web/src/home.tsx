import { useRooms } from "./rooms/use-rooms.js";
import { Logo } from "./ui/logo.js";

/** Where no room is open. */
export function Home({ isReady, onFind }: { isReady: boolean; onFind: () => void }) {
  const isEmpty = useRooms().length === 0;
  return (
    <main className="home">
      <Logo />
      {!isReady ? (
        <h1 className="muted">Connecting…</h1>
      ) : (
        <>
          <h1>{isEmpty ? "Nothing here yet" : "Pick a room"}</h1>
          <p className="muted">
            {isEmpty
              ? "Join a room, or begin one of your own."
              : "Or find another one, or somebody to write to."}
          </p>
          <button type="button" className="primary" onClick={onFind}>
            Find a room
          </button>
        </>
      )}
    </main>
  );
}
