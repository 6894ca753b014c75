//! A prompt at the bottom of a terminal, and what is said above it. Lines go into the terminal's own scroll-back.

use std::{
    io::{self, Write as _},
    panic,
    time::Duration,
};

use crossterm::{
    cursor::{MoveToColumn, MoveUp},
    event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream, KeyEventKind},
    queue,
    style::{Attribute, Print, SetAttribute},
    terminal::{self, Clear, ClearType},
};
use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use starling_core::UserId;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use unicode_width::UnicodeWidthChar as _;

use super::{
    connection::Connection,
    editor::{Done, Editor},
    model::{Chat, Input, Line},
    plain,
    session::Order,
    text::escaped,
};

/// Others see "is typing" for three seconds after it was told last.
const TELL_TYPING: Duration = Duration::from_secs(2);

/// Talks until the user leaves.
pub(super) async fn run(mut connection: Connection, mut chat: Chat, zone: &TimeZone) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut screen = Screen::open()?;
    let mut editor = Editor::default();
    let mut typing_told: Option<Instant> = None;
    let mut keys = EventStream::new();
    loop {
        screen.draw(&chat, &editor, connection.session.unsent())?;
        tokio::select! {
            news = connection.next() => {
                for line in chat.hear(news?) {
                    screen.print(&line, &chat.me, zone)?;
                }
            }
            event = keys.next() => match event {
                None => break,
                Some(event) => {
                    let done = take(event?, &mut editor);
                    if done == Done::Quit {
                        break;
                    }
                    tell_typing(&done, &editor, &chat, &mut connection, &mut typing_told);
                    if let Done::Line(line) = done {
                        match chat.typed(&line) {
                            Input::Order(_) if connection.session.is_full() => {
                                let text = "too many lines wait to be sent; try again in a moment".into();
                                screen.print(&Line::Note { at: None, text }, &chat.me, zone)?;
                            }
                            Input::Order(order) => connection.order(order),
                            Input::Show(line) => screen.print(&line, &chat.me, zone)?,
                            Input::Quit => break,
                            Input::Nothing => {}
                        }
                    }
                }
            },
            _ = terminate.recv() => break,
            _ = hang_up.recv() => break,
        }
    }
    drop(screen);
    connection.close().await;
    Ok(())
}

fn take(event: Event, editor: &mut Editor) -> Done {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => editor.key(key),
        Event::Paste(text) => {
            editor.paste(&text);
            Done::Edited
        }
        _ => Done::Moved,
    }
}

/// Tells the room that its user types: at most every two seconds, and the end of it when the line was cleared. A line
/// that is sent ends it by itself.
fn tell_typing(
    done: &Done,
    editor: &Editor,
    chat: &Chat,
    connection: &mut Connection,
    told: &mut Option<Instant>,
) {
    let now = Instant::now();
    match done {
        Done::Edited | Done::Moved if editor.is_empty() && told.is_some() => {
            *told = None;
            connection.order(Order::Typing(chat.room.clone(), false));
        }
        Done::Edited
            if !editor.is_empty()
                && !editor.is_command()
                && told.is_none_or(|at| now - at >= TELL_TYPING) =>
        {
            *told = Some(now);
            connection.order(Order::Typing(chat.room.clone(), true));
        }
        Done::Line(_) => *told = None,
        _ => {}
    }
}

/// The terminal in raw mode; as it was again when dropped, and before the words of a panic.
struct Screen {
    /// Rows of the prompt that are drawn now.
    drawn: u16,
}

impl Screen {
    fn open() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
        terminal::enable_raw_mode()?;
        let screen = Self { drawn: 0 };
        let (_, rows) = terminal::size()?;
        let mut out = io::stdout();
        // The prompt begins at the bottom; what was on the screen scrolls up.
        queue!(out, EnableBracketedPaste, Print("\r\n".repeat(rows.into())))?;
        out.flush()?;
        Ok(screen)
    }

    fn erase(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        queue!(out, MoveToColumn(0))?;
        if self.drawn > 1 {
            queue!(out, MoveUp(self.drawn - 1))?;
        }
        self.drawn = 0;
        queue!(out, Clear(ClearType::FromCursorDown))
    }

    fn print(&mut self, line: &Line, me: &UserId, zone: &TimeZone) -> io::Result<()> {
        self.erase()?;
        let style = match line {
            Line::Note { .. } => Attribute::Dim,
            Line::Message { from, .. } if from == me => Attribute::Bold,
            Line::Message { .. } => Attribute::Reset,
        };
        let text = plain::words(line, zone).replace('\n', "\r\n");
        queue!(
            io::stdout(),
            SetAttribute(style),
            Print(text),
            SetAttribute(Attribute::Reset),
            Print("\r\n")
        )
    }

    /// Draws who is here and who types, and below it the prompt.
    fn draw(&mut self, chat: &Chat, editor: &Editor, unsent: usize) -> io::Result<()> {
        self.erase()?;
        let (columns, _) = terminal::size()?;
        let columns = usize::from(columns).max(20);
        let state = fitting(&status(chat, unsent), columns - 1);
        let fill = " ".repeat((columns - 1).saturating_sub(columns_of(&state)));
        let prompt = format!("{}> ", fitting(chat.room.as_str(), columns / 3));
        let (line, column) = editor.view(columns - columns_of(&prompt) - 1);
        let column = u16::try_from(columns_of(&prompt) + column).unwrap_or(u16::MAX);
        let mut out = io::stdout();
        queue!(
            out,
            SetAttribute(Attribute::Reverse),
            Print(state),
            Print(fill),
            SetAttribute(Attribute::Reset),
            Print("\r\n"),
            Print(prompt),
            Print(line),
            MoveToColumn(column)
        )?;
        self.drawn = 2;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell then.
        let _ = self.erase();
        restore();
        drop(panic::take_hook());
    }
}

fn restore() {
    let mut out = io::stdout();
    let _ = queue!(out, DisableBracketedPaste, SetAttribute(Attribute::Reset));
    let _ = out.flush();
    let _ = terminal::disable_raw_mode();
}

fn status(chat: &Chat, unsent: usize) -> String {
    let mut text = String::from(" ");
    if !chat.is_online {
        text.push_str("reconnecting…  ");
    }
    if unsent > 0 {
        text.push_str(&format!("{unsent} not sent yet  "));
    }
    let here: Vec<_> = chat
        .here()
        .map(|(user, status)| format!("{} ({})", escaped(user.as_str()), status.as_str()))
        .collect();
    text.push_str(&if here.is_empty() {
        "nobody else is here".to_owned()
    } else {
        here.join(", ")
    });
    let typing = chat.typing();
    if !typing.is_empty() {
        text = format!(" {}  ·{text}", escaped(&typing));
    }
    text
}

fn columns_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// As much of a text as fits into so many columns.
fn fitting(text: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).collect()
}
