//! Rules about rooms.

use crate::{
    Draft, Refusal, Role,
    draft::RoomSpec,
    event::{EventBody, RoomCreated, RoomDeleted, RoomUpdated},
};

use super::{
    State,
    decide::{Decision, RESERVED},
};

impl State {
    pub(super) fn create_room(&mut self, draft: &Draft, spec: &RoomSpec, max_rooms: u32) -> Decision {
        if draft.room.is_reserved() {
            return Err(RESERVED);
        }
        if self.room(draft).is_ok() {
            return Err(Refusal::RoomExists);
        }
        self.check_room_count(draft, max_rooms)?;
        self.open(draft, spec);
        self.enter(draft, Role::Owner);
        Ok(Some(EventBody::RoomCreated(RoomCreated {
            name: spec.name.clone(),
            kind: spec.kind,
        })))
    }

    pub(super) fn update_room(&mut self, draft: &Draft, change: &RoomUpdated) -> Decision {
        self.require(draft, Role::Admin, "only admins and the owner change a room")?;
        if *change == RoomUpdated::default() {
            return Ok(None);
        }
        self.touch_room(&draft.room, |room| {
            let RoomUpdated {
                name,
                description,
                max_members,
                settings,
            } = change.clone();
            room.name = name.unwrap_or_else(|| std::mem::take(&mut room.name));
            room.description = description.unwrap_or_else(|| std::mem::take(&mut room.description));
            room.max_members = max_members.unwrap_or(room.max_members);
            room.settings = settings.unwrap_or_else(|| std::mem::take(&mut room.settings));
        });
        Ok(Some(EventBody::RoomUpdated(change.clone())))
    }

    pub(super) fn delete_room(&mut self, draft: &Draft) -> Decision {
        self.require(draft, Role::Owner, "only the owner deletes a room")?;
        if draft.room.is_reserved() {
            return Err(Refusal::Forbidden("direct rooms and inboxes are not deleted"));
        }
        self.touch_room(&draft.room, |room| {
            room.deleted = true;
            room.member_count = 0;
        });
        Ok(Some(EventBody::RoomDeleted(RoomDeleted {})))
    }

    pub(super) fn check_room_count(&self, draft: &Draft, max_rooms: u32) -> Result<(), Refusal> {
        let joined = self.facts.joined.get(&draft.sender).copied().unwrap_or_default();
        if joined >= max_rooms {
            Err(Refusal::TooManyRooms {
                max: max_rooms as usize,
            })
        } else {
            Ok(())
        }
    }
}
