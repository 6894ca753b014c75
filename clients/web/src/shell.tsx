import { useUnread } from "@starling/react";
import { useEffect, useState } from "react";
import type { Account } from "./account/accounts.js";
import { signOut } from "./account/accounts.js";
import { ConnectionBanner } from "./chat/connection-banner.js";
import { RoomPage } from "./chat/room-page.js";
import { useIsWatched } from "./chat/watched.js";
import { Home } from "./home.js";
import { openSession } from "./open.js";
import { useDesktopNotifications } from "./people/desktop.js";
import { FindDialog } from "./rooms/find-dialog.js";
import { NewRoomDialog } from "./rooms/new-room-dialog.js";
import { Sidebar } from "./rooms/sidebar.js";
import { type Route, useRoute } from "./route.js";
import { SignedProvider, useSigned } from "./starling.js";
import { ToastArea } from "./ui/toasts.js";
import { useSession } from "./use-session.js";

interface ShellProps {
  account: Account;
  isNew: boolean;
  onSignedOut: (why?: string) => void;
}

/** Everything that a signed-in user sees. */
export function Shell({ account, isNew, onSignedOut }: ShellProps) {
  const [signed] = useState(() => openSession(account));
  const isReady = useSession(signed.starling, { isNew, onSignedOut });

  const leave = () => {
    signOut(account.userId);
    onSignedOut();
  };
  return (
    <SignedProvider value={signed}>
      <Frame isReady={isReady} onSignOut={leave} />
    </SignedProvider>
  );
}

type DialogName = "find" | "new-room";

function Frame({ isReady, onSignOut }: { isReady: boolean; onSignOut: () => void }) {
  const route = useRoute();
  const [dialog, setDialog] = useState<DialogName>();
  const close = () => setDialog(undefined);
  const roomId = useRoomIdOf(route, isReady);
  useTitle(roomId);
  useDesktopNotifications(roomId);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setDialog("find");
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <div className={route.page === "home" ? "shell shows-list" : "shell"}>
      <Sidebar
        roomId={roomId}
        isReady={isReady}
        onFind={() => setDialog("find")}
        onNewRoom={() => setDialog("new-room")}
        onSignOut={onSignOut}
      />
      <div className="stage">
        <ConnectionBanner onSignOut={onSignOut} />
        {roomId === undefined ? (
          <Home isReady={isReady} onFind={() => setDialog("find")} />
        ) : (
          <RoomPage key={roomId} roomId={roomId} isReady={isReady} />
        )}
      </div>
      {dialog === "find" && <FindDialog onClose={close} onNewRoom={() => setDialog("new-room")} />}
      {dialog === "new-room" && <NewRoomDialog onClose={close} />}
      <ToastArea />
    </div>
  );
}

/** The room of the address. One of direct messages has a name only when the own user is known. */
function useRoomIdOf(route: Route, isReady: boolean): string | undefined {
  const { starling } = useSigned();
  if (route.page === "room") return route.roomId;
  if (route.page === "direct" && (isReady || starling.userId !== undefined))
    return starling.directRoom(route.userId);
  return undefined;
}

/** How much is unread, in the tab's title; what is being read does not count. */
function useTitle(roomId: string | undefined): void {
  const all = useUnread().unread;
  const here = useUnread(roomId).unread;
  const unread = useIsWatched() && roomId !== undefined ? all - here : all;
  useEffect(() => {
    document.title = unread ? `(${unread}) Starling` : "Starling";
  }, [unread]);
}
