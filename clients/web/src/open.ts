import { type DurableEnvelope, Starling } from "@starling/client";
import { type Account, freshToken } from "./account/accounts.js";
import { Names } from "./people/names.js";
import type { Signed } from "./starling.js";

/** Where this page's gateway takes sockets. */
const SOCKET = "/ws";

function peopleOf({ type, data }: DurableEnvelope): { userId: string; name?: string | undefined }[] {
  const sender = { userId: data.senderId, name: data.senderName };
  return type === "member_joined" ? [sender, { userId: data.userId, name: data.name }] : [sender];
}

/** What a signed-in user works with; not connected yet. */
export function openSession(account: Account): Signed {
  const { userId } = account;
  const starling = new Starling({ url: SOCKET, token: (why) => freshToken(userId, why) });
  const names = new Names();
  names.learn([account]);
  starling.on("event", (event) => names.learn(peopleOf(event)));
  return { account, starling, names };
}
