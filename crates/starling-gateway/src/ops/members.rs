//! Members: list, invite, moderate.

use starling_core::{Action, Refusal};
use starling_protocol::{
    command::{Invite, ListMembers, Moderate, OnMember, SetRole},
    reply::{Appended, MemberList, MemberView},
};

use super::{append, away, check_length, limit, rooms};
use crate::{node::Node, session::Actor};

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 200;
const MAX_REASON: usize = 512;

/// A page of members, with their presence where it can be had.
pub(crate) async fn list(node: &Node, actor: &Actor, command: ListMembers) -> Result<MemberList, Refusal> {
    rooms::require_reader(node, actor, &command.room_id).await?;
    let limit = limit(command.limit, DEFAULT_PAGE, MAX_PAGE)?;
    let page = node
        .backend
        .rooms
        .members(&command.room_id, command.after.as_ref(), limit)
        .await;
    let page = page.map_err(|error| away(&error))?;
    let users: Vec<_> = page.items.iter().map(|member| member.user.clone()).collect();
    let room = node
        .backend
        .rooms
        .room(&command.room_id)
        .await
        .map_err(|error| away(&error))?;
    let count = room.map_or(0, |room| room.member_count as usize);
    // Large rooms get counts only.
    let presence = if count <= node.config.presence.room_detail_limit {
        node.backend.presence.lookup(&users).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    let now = node.clock.now();
    let members = page.items.iter().enumerate();
    let members: Vec<_> = members
        .map(|(n, member)| MemberView::new(member, presence.get(n).map(|p| p.status), now))
        .collect();
    let next = members
        .last()
        .filter(|_| page.has_more)
        .map(|member| member.user_id.clone());
    Ok(MemberList {
        members,
        has_more: page.has_more,
        next,
    })
}

/// Lets a user into a private room.
pub(crate) async fn invite(node: &Node, actor: &Actor, command: Invite) -> Result<Appended, Refusal> {
    let Invite {
        room_id,
        user_id,
        role,
    } = command;
    append(node, actor, room_id, Action::Invite { user: user_id, role }).await
}

/// Removes a member.
pub(crate) async fn kick(node: &Node, actor: &Actor, command: OnMember) -> Result<Appended, Refusal> {
    let OnMember {
        room_id,
        user_id,
        reason,
    } = command;
    check_reason(reason.as_deref())?;
    append(
        node,
        actor,
        room_id,
        Action::Kick {
            user: user_id,
            reason,
        },
    )
    .await
}

/// Removes a user and keeps them out.
pub(crate) async fn ban(node: &Node, actor: &Actor, command: Moderate) -> Result<Appended, Refusal> {
    let Moderate {
        room_id,
        user_id,
        until,
        reason,
    } = command;
    check_reason(reason.as_deref())?;
    append(
        node,
        actor,
        room_id,
        Action::Ban {
            user: user_id,
            until,
            reason,
        },
    )
    .await
}

/// Lifts a ban.
pub(crate) async fn unban(node: &Node, actor: &Actor, command: OnMember) -> Result<Appended, Refusal> {
    append(
        node,
        actor,
        command.room_id,
        Action::Unban {
            user: command.user_id,
        },
    )
    .await
}

/// Takes a member's right to write.
pub(crate) async fn mute(node: &Node, actor: &Actor, command: Moderate) -> Result<Appended, Refusal> {
    let Moderate {
        room_id,
        user_id,
        until,
        reason,
    } = command;
    check_reason(reason.as_deref())?;
    append(
        node,
        actor,
        room_id,
        Action::Mute {
            user: user_id,
            until,
            reason,
        },
    )
    .await
}

/// Gives it back.
pub(crate) async fn unmute(node: &Node, actor: &Actor, command: OnMember) -> Result<Appended, Refusal> {
    append(
        node,
        actor,
        command.room_id,
        Action::Unmute {
            user: command.user_id,
        },
    )
    .await
}

/// Changes a member's role.
pub(crate) async fn set_role(node: &Node, actor: &Actor, command: SetRole) -> Result<Appended, Refusal> {
    let SetRole {
        room_id,
        user_id,
        role,
    } = command;
    append(node, actor, room_id, Action::SetRole { user: user_id, role }).await
}

fn check_reason(reason: Option<&str>) -> Result<(), Refusal> {
    reason.map_or(Ok(()), |reason| check_length("reason", reason, 0, MAX_REASON))
}
