import { type FormEvent, useId, useState } from "react";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icon.js";
import { Logo } from "../ui/logo.js";
import { ThemeSwitch } from "../ui/theme-switch.js";
import { type Account, knownAccounts, signInAsGuest, signInByToken, signOut } from "./accounts.js";
import { ApiError } from "./api.js";

const MAX_NAME = 64;

interface SignInProps {
  /** Why somebody is here again. */
  notice?: string | undefined;
  onSignedIn: (account: Account, isNew: boolean) => void;
}

export function SignIn({ notice, onSignedIn }: SignInProps) {
  const [known, setKnown] = useState(knownAccounts);
  const [takesGuests, setTakesGuests] = useState(true);
  const [byToken, setByToken] = useState(false);
  const [problem, setProblem] = useState(notice);
  const showsToken = byToken || !takesGuests;

  const fail = (error: unknown) => {
    if (error instanceof ApiError && error.status === 404) {
      setTakesGuests(false);
      setProblem("This server takes no guests. Sign in with a token.");
    } else setProblem(error instanceof Error ? error.message : String(error));
  };

  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <header>
          <Logo />
          <h1>Welcome to Starling</h1>
          <p className="muted">Live rooms in which nothing gets lost.</p>
        </header>
        {problem && (
          <p className="notice" role="alert">
            <Icon name="warning" />
            <span>{problem}</span>
          </p>
        )}
        {known.length > 0 && (
          <ul className="known-accounts" aria-label="Go on as">
            {known.map((account) => (
              <KnownAccount
                key={account.userId}
                account={account}
                onUse={() => onSignedIn(account, false)}
                onForget={() => {
                  signOut(account.userId);
                  setKnown(knownAccounts());
                }}
              />
            ))}
          </ul>
        )}
        {known.length > 0 && <p className="divider">or as somebody else</p>}
        {showsToken ? (
          <TokenForm onSignedIn={onSignedIn} onProblem={fail} />
        ) : (
          <GuestForm onSignedIn={onSignedIn} onProblem={fail} />
        )}
        {takesGuests && (
          <button type="button" className="link-button" onClick={() => setByToken(!byToken)}>
            {byToken ? "Sign in as a guest" : "Sign in with a token"}
          </button>
        )}
      </div>
      <footer>
        <ThemeSwitch />
      </footer>
    </main>
  );
}

function KnownAccount({
  account,
  onUse,
  onForget,
}: {
  account: Account;
  onUse: () => void;
  onForget: () => void;
}) {
  const { userId, name } = account;
  return (
    <li>
      <button type="button" className="known-account" onClick={onUse}>
        <Avatar id={userId} name={name} />
        <span className="known-name">
          Continue as <strong>{name}</strong>
          {name !== userId && <small className="muted">{userId}</small>}
        </span>
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={`Forget ${name}`}
        title="Forget"
        onClick={onForget}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

interface FormProps {
  onSignedIn: (account: Account, isNew: boolean) => void;
  onProblem: (error: unknown) => void;
}

function GuestForm({ onSignedIn, onProblem }: FormProps) {
  const id = useId();
  const [name, setName] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsBusy(true);
    signInAsGuest(name.trim())
      .then((account) => onSignedIn(account, true), onProblem)
      .finally(() => setIsBusy(false));
  };
  return (
    <form onSubmit={submit}>
      <label htmlFor={id}>Your name</label>
      <input
        id={id}
        value={name}
        onChange={(event) => setName(event.target.value)}
        maxLength={MAX_NAME}
        autoComplete="nickname"
        placeholder="What others call you"
        required
      />
      <button type="submit" className="primary" disabled={isBusy || !name.trim()}>
        {isBusy ? "Signing in…" : "Start chatting"}
      </button>
    </form>
  );
}

function TokenForm({ onSignedIn, onProblem }: FormProps) {
  const id = useId();
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    try {
      onSignedIn(signInByToken(token), false);
    } catch (error) {
      onProblem(error);
    }
  };
  return (
    <form onSubmit={submit}>
      <label htmlFor={id}>Token</label>
      <textarea
        id={id}
        className="token"
        rows={4}
        value={token}
        onChange={(event) => setToken(event.target.value)}
        spellCheck={false}
        autoComplete="off"
        placeholder="Paste a token of this server"
        required
      />
      <p className="hint">
        On the server: <code>starling token --user alice</code>
      </p>
      <button type="submit" className="primary" disabled={!token.trim()}>
        Sign in
      </button>
    </form>
  );
}
