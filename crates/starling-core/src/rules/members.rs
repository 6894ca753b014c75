//! Rules about members: who enters, who goes, who acts on whom.

use crate::{
    Authority, Draft, Member, Refusal, Role, Room, UserId,
    draft::RoomSpec,
    event::{EventBody, MemberGone, MemberInvited, MemberJoined, MemberRef, MemberRestricted, MemberRole},
    room::{RoomKind, Standing},
};

use super::{
    State,
    decide::{Decision, RESERVED, ban_of},
};

const BELOW_ONLY: Refusal = Refusal::Forbidden("you cannot give a role that is not below your own");
const TWO_USERS: Refusal = Refusal::Forbidden("a direct room has its two users, as they are");

impl State {
    pub(super) fn join(&mut self, draft: &Draft, auto_create: Option<&RoomSpec>, max_rooms: u32) -> Decision {
        if draft.room.is_reserved() {
            return Err(RESERVED);
        }
        let role = match (self.room(draft), auto_create) {
            (Ok(room), _) => {
                let member = self.member(&draft.room, &draft.sender);
                if member.is_some_and(Member::is_joined) {
                    return Ok(None);
                }
                let role = entering_role(draft, room, member)?;
                self.check_room_count(draft, max_rooms)?;
                role
            }
            (Err(_), Some(spec)) => {
                self.check_room_count(draft, max_rooms)?;
                self.open(draft, spec);
                Role::Owner
            }
            (Err(missing), None) => return Err(missing),
        };
        self.enter(draft, role);
        Ok(Some(EventBody::MemberJoined(MemberJoined {
            user_id: draft.sender.clone(),
            role,
            name: draft.sender_name.clone(),
        })))
    }

    /// Power is given up by leaving, except an owner's: a room that its owner left has one again when they return.
    pub(super) fn leave(&mut self, draft: &Draft) -> Decision {
        self.room(draft)?;
        if draft.room.is_reserved() {
            return Err(Refusal::Forbidden("a direct room cannot be left"));
        }
        let Some(member) = self.joined(&draft.room, &draft.sender) else {
            return Err(Refusal::NotMember);
        };
        let was_owner = member.role == Role::Owner;
        self.remove(draft, &draft.sender, Standing::Gone);
        if was_owner {
            self.touch_member(&draft.room, &draft.sender, |member| member.role = Role::Owner);
        }
        Ok(Some(EventBody::MemberLeft(MemberGone {
            user_id: draft.sender.clone(),
            reason: None,
        })))
    }

    pub(super) fn invite(&mut self, draft: &Draft, user: &UserId, role: Role) -> Decision {
        let own = self.require(
            draft,
            Role::Moderator,
            "only moderators, admins and the owner invite",
        )?;
        if draft.room.is_reserved() {
            return Err(TWO_USERS);
        }
        if role >= own {
            return Err(BELOW_ONLY);
        }
        if let Some(member) = self.member(&draft.room, user) {
            if ban_of(member, draft).is_some() {
                return Err(Refusal::Forbidden("this user is banned; unban them first"));
            }
            let needs_none = matches!(member.standing, Standing::Joined | Standing::Invited);
            if needs_none || member.role == Role::Owner {
                return Ok(None);
            }
        }
        self.touch_member(&draft.room, user, |member| {
            member.standing = Standing::Invited;
            member.role = role;
        });
        Ok(Some(EventBody::MemberInvited(MemberInvited {
            user_id: user.clone(),
            role,
        })))
    }

    /// Of a member, or of one who is invited only: then it takes the invitation back.
    pub(super) fn kick(&mut self, draft: &Draft, user: &UserId, reason: Option<&String>) -> Decision {
        self.require_over(draft, user)?;
        if draft.room.is_reserved() {
            return Err(TWO_USERS);
        }
        match self.member(&draft.room, user).map(|member| member.standing) {
            Some(Standing::Joined | Standing::Invited) => {}
            _ => return Err(Refusal::NotFound("this member")),
        }
        self.remove(draft, user, Standing::Gone);
        Ok(Some(EventBody::MemberKicked(MemberGone {
            user_id: user.clone(),
            reason: reason.cloned(),
        })))
    }

    pub(super) fn ban(&mut self, draft: &Draft, body: MemberRestricted) -> Decision {
        self.require_over(draft, &body.user_id)?;
        if draft.room.is_reserved() {
            return Err(TWO_USERS);
        }
        check_until(draft, &body)?;
        let standing = Standing::Banned { until: body.until };
        if self
            .member(&draft.room, &body.user_id)
            .is_some_and(|member| member.standing == standing)
        {
            return Ok(None);
        }
        self.remove(draft, &body.user_id, standing);
        Ok(Some(EventBody::MemberBanned(body)))
    }

    pub(super) fn unban(&mut self, draft: &Draft, user: &UserId) -> Decision {
        self.require(
            draft,
            Role::Moderator,
            "only moderators, admins and the owner lift a ban",
        )?;
        match self.member(&draft.room, user).map(|member| member.standing) {
            Some(Standing::Banned { .. }) => {}
            _ => return Ok(None),
        }
        self.touch_member(&draft.room, user, |member| member.standing = Standing::Gone);
        Ok(Some(EventBody::MemberUnbanned(MemberRef {
            user_id: user.clone(),
        })))
    }

    pub(super) fn mute(&mut self, draft: &Draft, body: MemberRestricted) -> Decision {
        self.require_over(draft, &body.user_id)?;
        if draft.room.is_reserved() {
            return Err(TWO_USERS);
        }
        check_until(draft, &body)?;
        let Some(target) = self.joined(&draft.room, &body.user_id) else {
            return Err(Refusal::NotFound("this member"));
        };
        if target.muted == Some(body.until) {
            return Ok(None);
        }
        self.touch_member(&draft.room, &body.user_id, |member| {
            member.muted = Some(body.until)
        });
        Ok(Some(EventBody::MemberMuted(body)))
    }

    pub(super) fn unmute(&mut self, draft: &Draft, user: &UserId) -> Decision {
        self.require_over(draft, user)?;
        if self
            .member(&draft.room, user)
            .is_none_or(|member| member.muted.is_none())
        {
            return Ok(None);
        }
        self.touch_member(&draft.room, user, |member| member.muted = None);
        Ok(Some(EventBody::MemberUnmuted(MemberRef {
            user_id: user.clone(),
        })))
    }

    /// Admins give roles below their own, an owner any. Everybody may step down.
    pub(super) fn set_role(&mut self, draft: &Draft, user: &UserId, role: Role) -> Decision {
        let steps_down = *user == draft.sender;
        let own = self.acting_role(draft)?;
        if draft.room.is_reserved() {
            return Err(TWO_USERS);
        }
        if !steps_down {
            self.require(draft, Role::Admin, "only admins and the owner change roles")?;
            self.require_over(draft, user)?;
        }
        let Some(target) = self.joined(&draft.room, user) else {
            return Err(Refusal::NotFound("this member"));
        };
        if target.role == role {
            return Ok(None);
        }
        if steps_down && role > target.role {
            return Err(Refusal::Forbidden("nobody gives themself a higher role"));
        }
        if !steps_down && role >= own && own < Role::Owner {
            return Err(BELOW_ONLY);
        }
        self.touch_member(&draft.room, user, |member| member.role = role);
        Ok(Some(EventBody::MemberRoleChanged(MemberRole {
            user_id: user.clone(),
            role,
        })))
    }
}

/// A ban that is over at once would be a kick that looks like more.
fn check_until(draft: &Draft, body: &MemberRestricted) -> Result<(), Refusal> {
    if body.until.is_some_and(|until| until <= draft.at) {
        return Err(Refusal::InvalidMessage(
            "until must lie in the future; leave it out where there is no end".into(),
        ));
    }
    Ok(())
}

/// The role in which somebody enters a room that is open to them.
fn entering_role(draft: &Draft, room: &Room, member: Option<&Member>) -> Result<Role, Refusal> {
    if let Some(ban) = member.and_then(|member| ban_of(member, draft)) {
        return Err(ban);
    }
    let role = member.map_or(Role::Member, |member| member.role);
    let is_expected =
        member.is_some_and(|member| member.standing == Standing::Invited) || role == Role::Owner;
    if room.kind != RoomKind::Public && !is_expected && draft.authority == Authority::Member {
        return Err(Refusal::Forbidden(
            "this room is private; ask one of its admins for an invitation",
        ));
    }
    if room.member_count >= room.max_members {
        return Err(Refusal::RoomFull {
            max: room.max_members,
        });
    }
    Ok(role)
}
