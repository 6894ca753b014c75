import { lazy, Suspense, useState, useSyncExternalStore } from "react";
import { type Account, accountOf, activeUser } from "./account/accounts.js";
import { SignIn } from "./account/sign-in.js";
import { useRoute } from "./route.js";
import { Shell } from "./shell.js";

const AdminPage = lazy(() => import("./admin/admin-page.js"));

/** Somebody who is signed in, or the page where they do so. */
export function App() {
  const route = useRoute();
  const userId = useSyncExternalStore(activeUser.subscribe, activeUser.get);
  const [isNew, setIsNew] = useState(false);
  const [notice, setNotice] = useState<string>();
  const account = userId ? accountOf(userId) : undefined;

  const signedIn = (next: Account, isFirst: boolean) => {
    setIsNew(isFirst);
    setNotice(undefined);
    activeUser.set(next.userId);
  };
  const signedOut = (why?: string) => {
    setNotice(why);
    activeUser.set("");
  };

  if (!account) return <SignIn key={notice} notice={notice} onSignedIn={signedIn} />;
  if (route.page === "admin") {
    return (
      <Suspense fallback={<p className="loading">Loading…</p>}>
        <AdminPage account={account} onSignedOut={signedOut} />
      </Suspense>
    );
  }
  return <Shell key={account.userId} account={account} isNew={isNew} onSignedOut={signedOut} />;
}
