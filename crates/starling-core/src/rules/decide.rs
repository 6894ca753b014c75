//! From a draft to a decision: which rule is asked, what every rule looks up, and how rows change.
//! `Ok(Some(body))` appends, `Ok(None)` leaves everything as it is. A rule changes nothing before it is sure.

use crate::{
    Action, Authority, Draft, Member, Refusal, Role, Room, RoomId, UserId,
    draft::RoomSpec,
    event::{EventBody, MemberRestricted},
    room::Standing,
};

use super::State;

pub(super) type Decision = Result<Option<EventBody>, Refusal>;

/// Whether an event that was appended earlier is what the draft asks for now.
pub(super) fn is_same(action: &Action, body: &EventBody) -> bool {
    use EventBody as Body;
    match (action, body) {
        (Action::CreateRoom { spec, .. }, Body::RoomCreated(b)) => spec.name == b.name && spec.kind == b.kind,
        (Action::UpdateRoom(a), Body::RoomUpdated(b)) => a == b,
        (Action::DeleteRoom, Body::RoomDeleted(_))
        | (Action::Join { .. }, Body::MemberJoined(_))
        | (Action::Leave, Body::MemberLeft(_)) => true,
        (Action::Invite { user, role }, Body::MemberInvited(b)) => *user == b.user_id && *role == b.role,
        (Action::Kick { user, reason }, Body::MemberKicked(b)) => *user == b.user_id && *reason == b.reason,
        (Action::Ban { user, until, reason }, Body::MemberBanned(b))
        | (Action::Mute { user, until, reason }, Body::MemberMuted(b)) => {
            *user == b.user_id && *until == b.until && *reason == b.reason
        }
        (Action::Unban { user }, Body::MemberUnbanned(b))
        | (Action::Unmute { user }, Body::MemberUnmuted(b)) => *user == b.user_id,
        (Action::SetRole { user, role }, Body::MemberRoleChanged(b)) => *user == b.user_id && *role == b.role,
        (Action::Send(a), Body::MessageCreated(b)) => a == b,
        (Action::Edit { ref_seq, content }, Body::MessageUpdated(b)) => {
            *ref_seq == b.ref_seq && *content == b.content
        }
        (Action::Delete { ref_seq }, Body::MessageDeleted(b)) => *ref_seq == b.ref_seq,
        (Action::React { ref_seq, emoji }, Body::ReactionAdded(b))
        | (Action::Unreact { ref_seq, emoji }, Body::ReactionRemoved(b)) => {
            *ref_seq == b.ref_seq && *emoji == b.emoji
        }
        (Action::Notify(a), Body::Notification(b)) => a == b,
        _ => false,
    }
}

impl State {
    pub(super) fn decide(&mut self, draft: &Draft) -> Decision {
        match &draft.action {
            Action::CreateRoom { spec, max_rooms } => self.create_room(draft, spec, *max_rooms),
            Action::UpdateRoom(change) => self.update_room(draft, change),
            Action::DeleteRoom => self.delete_room(draft),
            Action::Join {
                auto_create,
                max_rooms,
            } => self.join(draft, auto_create.as_ref(), *max_rooms),
            Action::Leave => self.leave(draft),
            Action::Invite { user, role } => self.invite(draft, user, *role),
            Action::Kick { user, reason } => self.kick(draft, user, reason.as_ref()),
            Action::Ban { user, until, reason } => {
                let body = MemberRestricted {
                    user_id: user.clone(),
                    until: *until,
                    reason: reason.clone(),
                };
                self.ban(draft, body)
            }
            Action::Unban { user } => self.unban(draft, user),
            Action::Mute { user, until, reason } => {
                let body = MemberRestricted {
                    user_id: user.clone(),
                    until: *until,
                    reason: reason.clone(),
                };
                self.mute(draft, body)
            }
            Action::Unmute { user } => self.unmute(draft, user),
            Action::SetRole { user, role } => self.set_role(draft, user, *role),
            Action::Send(message) => self.send(draft, message),
            Action::Edit { ref_seq, content } => self.edit(draft, *ref_seq, content),
            Action::Delete { ref_seq } => self.delete(draft, *ref_seq),
            Action::React { ref_seq, emoji } => self.react(draft, *ref_seq, emoji, true),
            Action::Unreact { ref_seq, emoji } => self.react(draft, *ref_seq, emoji, false),
            Action::Notify(notification) => self.notify(draft, notification),
        }
    }

    // ---- looking up -------------------------------------------------------------------------------------------

    /// The room, where it is open and the sender may know of it: to a third user a direct room is the same whether
    /// or not its two users ever wrote, and so is another's inbox.
    pub(super) fn room(&self, draft: &Draft) -> Result<&Room, Refusal> {
        const MISSING: Refusal = Refusal::NotFound("this room");
        let reserved = draft.room.reserved();
        if draft.authority != Authority::Admin && reserved.is_some_and(|r| !r.is_read_by(&draft.sender)) {
            return Err(MISSING);
        }
        let room = self.facts.rooms.get(&draft.room);
        room.filter(|room| !room.deleted).ok_or(MISSING)
    }

    pub(super) fn member(&self, room: &RoomId, user: &UserId) -> Option<&Member> {
        self.facts.members.get(&(room.clone(), user.clone()))
    }

    pub(super) fn joined(&self, room: &RoomId, user: &UserId) -> Option<&Member> {
        self.member(room, user).filter(|member| member.is_joined())
    }

    /// The role in which the sender acts: an owner's for administrators of the service.
    pub(super) fn acting_role(&self, draft: &Draft) -> Result<Role, Refusal> {
        self.room(draft)?;
        if draft.authority == Authority::Admin {
            return Ok(Role::Owner);
        }
        match self.member(&draft.room, &draft.sender) {
            Some(member) if member.is_joined() => Ok(member.role),
            Some(member) => Err(ban_of(member, draft).unwrap_or(Refusal::NotMember)),
            None => Err(Refusal::NotMember),
        }
    }

    pub(super) fn require(&self, draft: &Draft, least: Role, why: &'static str) -> Result<Role, Refusal> {
        let role = self.acting_role(draft)?;
        if role < least {
            Err(Refusal::Forbidden(why))
        } else {
            Ok(role)
        }
    }

    /// A moderator acts on users below their own role, never on themself. The role counts from the invitation on, and
    /// an owner's outlasts their leaving.
    pub(super) fn require_over(&self, draft: &Draft, user: &UserId) -> Result<(), Refusal> {
        let role = self.require(
            draft,
            Role::Moderator,
            "only moderators, admins and the owner may do this",
        )?;
        if *user == draft.sender {
            return Err(Refusal::Forbidden("you cannot do this to yourself"));
        }
        match self.member(&draft.room, user) {
            Some(target) if target.role >= role && draft.authority != Authority::Admin => {
                Err(Refusal::Forbidden("this user's role is not below yours"))
            }
            _ => Ok(()),
        }
    }

    // ---- changing ---------------------------------------------------------------------------------------------

    pub(super) fn touch_member(&mut self, room: &RoomId, user: &UserId, change: impl FnOnce(&mut Member)) {
        let key = (room.clone(), user.clone());
        let member = self.facts.members.entry(key.clone()).or_insert_with(|| Member {
            room: room.clone(),
            user: user.clone(),
            name: None,
            standing: Standing::Gone,
            role: Role::Member,
            joined_at: crate::Timestamp::default(),
            joined_seq: 0,
            muted: None,
            wrote_at: None,
        });
        change(member);
        self.touched_members.push(key);
    }

    pub(super) fn touch_room(&mut self, id: &RoomId, change: impl FnOnce(&mut Room)) {
        if let Some(room) = self.facts.rooms.get_mut(id) {
            change(room);
            self.touched_rooms.push(id.clone());
        }
    }

    /// Makes the sender a member; counts and limits were checked.
    pub(super) fn enter(&mut self, draft: &Draft, role: Role) {
        self.touch_member(&draft.room, &draft.sender, |member| {
            member.standing = Standing::Joined;
            member.role = role;
            member.name.clone_from(&draft.sender_name);
            member.joined_at = draft.at;
        });
        self.touch_room(&draft.room, |room| room.member_count += 1);
        *self.facts.joined.entry(draft.sender.clone()).or_default() += 1;
    }

    /// Ends a membership or an invitation, and the power that came with it; what holds a user back stays.
    pub(super) fn remove(&mut self, draft: &Draft, user: &UserId, standing: Standing) {
        let was_joined = self.joined(&draft.room, user).is_some();
        self.touch_member(&draft.room, user, |member| {
            member.standing = standing;
            member.role = member.role.min(Role::Member);
        });
        if was_joined {
            self.touch_room(&draft.room, |room| {
                room.member_count = room.member_count.saturating_sub(1)
            });
            if let Some(count) = self.facts.joined.get_mut(user) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Opens a room, or opens a closed one anew; its seqs go on where they were.
    pub(super) fn open(&mut self, draft: &Draft, spec: &RoomSpec) {
        let (last_seq, min_seq, last_event) =
            self.facts.rooms.get(&draft.room).map_or((0, 1, None), |closed| {
                (closed.last_seq, closed.min_seq, closed.last_event)
            });
        let room = Room {
            id: draft.room.clone(),
            kind: spec.kind,
            name: spec.name.clone(),
            description: spec.description.clone(),
            max_members: spec.max_members,
            settings: spec.settings.clone(),
            created_by: draft.sender.clone(),
            created_at: draft.at,
            deleted: false,
            member_count: 0,
            last_seq,
            min_seq,
            last_event,
        };
        self.facts.rooms.insert(draft.room.clone(), room);
        self.touched_rooms.push(draft.room.clone());
    }
}

/// For what would make, join or rebuild a room with an id of the service.
pub(super) const RESERVED: Refusal =
    Refusal::Forbidden("room ids that begin with @ are made by the service; choose another id");

/// The ban, where it is still in force.
pub(super) fn ban_of(member: &Member, draft: &Draft) -> Option<Refusal> {
    match member.standing {
        Standing::Banned { until: None } => Some(Refusal::Banned { retry_after: None }),
        Standing::Banned { until: Some(until) } if until > draft.at => Some(Refusal::Banned {
            retry_after: Some(until.since(draft.at)),
        }),
        _ => None,
    }
}
