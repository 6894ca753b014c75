import { Counter, Rate, Trend } from "k6/metrics";

// Connect, upgrade, `welcome`.
export const connectToWelcome = new Trend("connect_to_welcome", true);
export const connected = new Rate("connected");
// Send to `ok`, which follows the commit.
export const sendToAck = new Trend("send_to_ack", true);
// Send to the event at a member, for every member.
export const sendToDeliver = new Trend("send_to_deliver", true);
// From the cut to having everything that was missed.
export const cutToResumed = new Trend("cut_to_resumed", true);
// From the end of a socket that nobody asked for to having everything that was missed.
export const endToResumed = new Trend("end_to_resumed", true);

export const acked = new Counter("messages_acked");
export const delivered = new Counter("events_delivered");
// Errors answered, and answers that did not come within 10 s.
export const refused = new Counter("refused");
// Sockets that ended without being asked to.
export const dropped = new Counter("sockets_dropped");
// Clients that moved when the server asked for it, and those whose socket ended before they had.
export const moved = new Counter("moved");
export const movedTooLate = new Counter("moved_too_late");
// The account of every member: seq by seq, none left out, none twice.
export const missing = new Counter("events_missing");
export const repeated = new Counter("events_repeated");

// What no scenario may have, however slow the machine is. A counter that was never raised counts as 0.
export const exact = {
  connected: ["rate==1"],
  refused: ["count==0"],
  sockets_dropped: ["count==0"],
  events_missing: ["count==0"],
  events_repeated: ["count==0"],
};
