//! Presence: what a user's sessions add up to.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

/// A user's status, weakest first: over all live sessions of a user the strongest counts.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No live session, or invisible.
    #[default]
    Offline,
    /// Connected, not active.
    Away,
    /// Connected and active.
    Online,
    /// Connected, not to be disturbed; set by hand.
    Busy,
    /// Connected, shown as offline; masks every other session.
    Invisible,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Offline,
        Self::Away,
        Self::Online,
        Self::Busy,
        Self::Invisible,
    ];

    /// What others see.
    #[must_use]
    pub fn shown(self) -> Self {
        if self == Self::Invisible {
            Self::Offline
        } else {
            self
        }
    }

    /// As stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Away => "away",
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Invisible => "invisible",
        }
    }

    /// The inverse of [`Status::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What one node says about a user: the strongest of the user's sessions on that node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodePresence {
    /// The strongest status, [`Status::Invisible`] included.
    pub status: Status,
    /// The text that the user set, at most 128 characters.
    pub custom: Option<String>,
    /// When the user set status or text by hand; the latest over all nodes wins the text.
    pub set_at: Timestamp,
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPresence {
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Never `invisible`.
    pub status: Status,
    /// The text that the user set.
    pub custom_status: Option<String>,
    /// When their last session ended; absent while they are connected and visible, or never were.
    #[schema(value_type = Option<String>)]
    pub last_seen_at: Option<Timestamp>,
}

/// Adds up what the live nodes say about a user.
#[must_use]
pub fn combine(user: &UserId, nodes: &[NodePresence], last_seen_at: Option<Timestamp>) -> UserPresence {
    let status = nodes.iter().map(|n| n.status).max().unwrap_or_default().shown();
    let shown = status != Status::Offline;
    let custom = nodes
        .iter()
        .filter(|n| n.custom.is_some())
        .max_by_key(|n| n.set_at)
        .and_then(|n| n.custom.clone());
    UserPresence {
        user_id: user.clone(),
        status,
        custom_status: if shown { custom } else { None },
        last_seen_at: if shown { None } else { last_seen_at },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(status: Status, custom: Option<&str>, at: i64) -> NodePresence {
        NodePresence {
            status,
            custom: custom.map(Into::into),
            set_at: Timestamp::from_millis(at),
        }
    }

    #[test]
    fn the_strongest_status_counts_and_invisible_masks() {
        let user = UserId::parse("alice").unwrap();
        let seen = Some(Timestamp::from_millis(5));
        let of = |nodes: &[NodePresence]| combine(&user, nodes, seen);
        assert_eq!(of(&[]).status, Status::Offline);
        assert_eq!(of(&[]).last_seen_at, seen);
        assert_eq!(
            of(&[node(Status::Away, None, 1), node(Status::Online, None, 1)]).status,
            Status::Online
        );
        assert_eq!(
            of(&[node(Status::Busy, None, 1), node(Status::Online, None, 1)]).status,
            Status::Busy
        );
        let masked = of(&[
            node(Status::Busy, Some("here"), 1),
            node(Status::Invisible, None, 1),
        ]);
        assert_eq!((masked.status, masked.custom_status), (Status::Offline, None));
        let texts = of(&[
            node(Status::Online, Some("old"), 1),
            node(Status::Away, Some("new"), 2),
        ]);
        assert_eq!(texts.custom_status.as_deref(), Some("new"));
    }
}
