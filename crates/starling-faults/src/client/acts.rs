//! What a device does, by its own dice: so a seed gives every device the same wishes in every run.

use rand::Rng;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::{
    Twin,
    device::{Asked, Device, Link, Pending, number},
    follow::Following,
    history::What,
    socket::Why,
};

/// Messages that may wait for their answer before no further one is written.
const MOST_PENDING: usize = 40;
const EMOJI: [&str; 4] = ["+1", "heart", "tada", "eyes"];

impl Device {
    /// One act. `true` when the device wants another connection.
    pub(super) async fn act(&mut self, link: &mut Link) -> Result<bool, Why> {
        let dice = self.chance.random_range(0..1000);
        let room = self.some_room();
        // Drawn always, so that what one act does not change the dice of the next.
        let (count, text) = (
            self.chance.random_range(1..4_usize),
            self.chance.random_range(0..400_usize),
        );
        let (emoji, who) = (
            EMOJI[self.chance.random_range(0..EMOJI.len())],
            self.chance.random_range(1..self.cast.users.len()),
        );
        let nap = Duration::from_millis(self.chance.random_range(300..3000));
        let Some(room) = room else { return Ok(false) };
        let name = self.cast.rooms[room].clone();
        match dice {
            0..500 => self.write(room, count, text, who),
            500..540 => self.write_as_twin(),
            540..580 => self.write_again(),
            580..660 => {
                self.change(
                    link,
                    "edit_message",
                    &json!({ "content": "edited ".repeat(count) }),
                )
                .await?
            }
            660..690 => self.change(link, "delete_message", &json!({})).await?,
            690..770 => self.react(link, room, "add_reaction", emoji).await?,
            770..800 => self.react(link, room, "remove_reaction", emoji).await?,
            800..880 => self.mark(link, room).await?,
            880..930 => {
                self.ask(link, "typing_start", &json!({ "roomId": name }), Asked::Other)
                    .await?;
            }
            930..945 => {
                let status = ["online", "away", "busy"][count - 1];
                self.ask(link, "set_presence", &json!({ "status": status }), Asked::Other)
                    .await?;
            }
            945..960 if self.user == 0 => {
                let kick = json!({ "roomId": name, "userId": self.cast.users[who], "reason": "faults" });
                if self.cast.belongs(who, room) {
                    self.ask(link, "kick", &kick, Asked::Change(room, "kick")).await?;
                }
            }
            960..965 if self.user != 0 => {
                self.ask(link, "leave_room", &json!({ "roomId": name }), Asked::Leave(room))
                    .await?;
            }
            // A reader that reads slowly: what the server writes meanwhile waits in the kernel, then in its outbox.
            965..985 => sleep(nap).await,
            985.. => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    /// A room that it follows.
    fn some_room(&mut self) -> Option<usize> {
        let first = self.chance.random_range(0..self.rooms.len());
        let mut rooms = (first..self.rooms.len()).chain(0..first);
        rooms.find(|room| self.rooms[*room].following == Following::Yes)
    }

    fn write(&mut self, room: usize, count: usize, text: usize, who: usize) {
        for _ in 0..count {
            if self.pending.len() >= MOST_PENDING {
                return;
            }
            self.sent += 1;
            let mut client_id = format!("{}.{}", self.name, self.sent);
            if text.is_multiple_of(10) && who != self.user {
                client_id = format!("to-{}.{client_id}", self.cast.users[who]);
            }
            let content = format!("{client_id} {}", "x".repeat(text));
            if text.is_multiple_of(8) {
                let twin = Twin {
                    room,
                    client_id: client_id.clone(),
                    content: content.clone(),
                };
                self.cast.offer_twin(self.user, twin);
            }
            self.queue(room, client_id, content, false);
        }
    }

    /// Sends what another device of the user is sending too, under the same client id.
    fn write_as_twin(&mut self) {
        if let Some(Twin {
            room,
            client_id,
            content,
        }) = self.cast.take_twin(self.user)
            && !self.pending.iter().any(|pending| pending.client_id == client_id)
        {
            self.queue(room, client_id, content, true);
        }
    }

    /// Sends once more what was acknowledged.
    fn write_again(&mut self) {
        if let Some((room, _, client_id, content)) = self.own.front().cloned()
            && !self.pending.iter().any(|pending| pending.client_id == client_id)
        {
            self.queue(room, client_id, content, true);
        }
    }

    fn queue(&mut self, room: usize, client_id: String, content: String, twin: bool) {
        self.pending.push_back(Pending {
            room,
            client_id,
            content,
            twin,
            sent_on: 0,
            not_before: Instant::now(),
        });
    }

    /// Changes one of its own messages.
    async fn change(&mut self, link: &mut Link, kind: &'static str, fields: &Value) -> Result<(), Why> {
        if self.own.is_empty() {
            return Ok(());
        }
        let n = self.chance.random_range(0..self.own.len());
        let (room, seq) = (self.own[n].0, self.own[n].1);
        if kind == "delete_message" {
            self.own.remove(n);
        }
        let mut data = fields.clone();
        data["roomId"] = json!(self.cast.rooms[room]);
        data["seq"] = json!(seq);
        self.ask(link, kind, &data, Asked::Change(room, kind)).await
    }

    async fn react(
        &mut self,
        link: &mut Link,
        room: usize,
        kind: &'static str,
        emoji: &str,
    ) -> Result<(), Why> {
        let seq = self.rooms[room]
            .seq()
            .saturating_sub(self.chance.random_range(0..8))
            .max(1);
        let data = json!({ "roomId": self.cast.rooms[room], "seq": seq, "emoji": emoji });
        self.ask(link, kind, &data, Asked::Change(room, kind)).await
    }

    async fn mark(&mut self, link: &mut Link, room: usize) -> Result<(), Why> {
        let seq = self.rooms[room].seq();
        let data = json!({ "roomId": self.cast.rooms[room], "seq": seq });
        self.note(What::MarkAsked {
            room: number(room),
            seq,
        });
        self.ask(link, "mark_read", &data, Asked::Mark(room, seq)).await
    }
}
