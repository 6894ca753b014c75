//! What the generator says: messages and signals, as commands in client frames.

use anyhow::Result;
use serde_json::json;
use starling_protocol::{
    CommandId,
    command::{NewMessage, SendMessage, Signal},
};

use crate::link::{Masks, id, push_command};

/// Appends a `send_message`. With an id the server answers when the message is durable.
///
/// `number` makes the client id, together with this process's id: a second run must not repeat the first's.
pub fn push_message(
    room: &str,
    number: u64,
    content: usize,
    masks: &mut Masks,
    out: &mut Vec<u8>,
) -> Result<()> {
    let message = SendMessage {
        room_id: Some(id(room)?),
        recipient_id: None,
        client_id: Some(id(&client_id(number))?),
        message: NewMessage {
            content: "x".repeat(content),
            content_type: None,
            reply_to: None,
            thread: None,
            attachments: Vec::new(),
            mentions: Vec::new(),
            metadata: None,
        },
        echo: true,
    };
    let command = CommandId::Number(i64::try_from(number)?);
    push_command("send_message", Some(&command), &message, masks, out)
}

/// Appends a `signal`, whose payload holds the number.
pub fn push_signal(
    room: &str,
    number: u64,
    content: usize,
    masks: &mut Masks,
    out: &mut Vec<u8>,
) -> Result<()> {
    let signal = Signal {
        room_id: id(room)?,
        name: "load".to_owned(),
        payload: json!({"n": number, "pad": "x".repeat(content)}),
    };
    push_command("signal", None, &signal, masks, out)
}

fn client_id(number: u64) -> String {
    format!("{}-{number}", std::process::id())
}

/// The number in a client id of this process.
#[must_use]
pub fn number(client_id: &str) -> Option<u64> {
    let (process, number) = client_id.split_once('-')?;
    (process.parse() == Ok(std::process::id()))
        .then(|| number.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use starling_protocol::{
        Codec, Command,
        command::Incoming,
        ws::{Decoder, Limits, Message, Role},
    };

    use super::*;

    /// What a server reads of a frame.
    fn read(mut frame: Vec<u8>) -> Incoming {
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        match decoder.decode(&mut frame.as_mut_slice()).unwrap() {
            Some(Message::Text(text)) => Incoming::decode(Codec::Json, text.as_bytes()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_understands_a_message() {
        let mut frame = Vec::new();
        push_message("r", 7, 30, &mut Masks::new(1), &mut frame).unwrap();
        let incoming = read(frame);
        assert_eq!(incoming.id, Some(CommandId::Number(7)));
        let Command::SendMessage(message) = incoming.command else {
            panic!("{incoming:?}");
        };
        assert_eq!(message.message.content.len(), 30);
        assert!(message.echo);
        let client_id = message.client_id.unwrap();
        assert_eq!(number(client_id.as_str()), Some(7));
        assert_eq!(number("1x-7"), None);
    }

    #[test]
    fn a_server_understands_a_signal() {
        let mut frame = Vec::new();
        push_signal("r", 8, 3, &mut Masks::new(1), &mut frame).unwrap();
        let incoming = read(frame);
        assert_eq!(incoming.id, None);
        let Command::Signal(signal) = incoming.command else {
            panic!("{incoming:?}");
        };
        assert_eq!(signal.payload, json!({"n": 8, "pad": "xxx"}));
    }
}
