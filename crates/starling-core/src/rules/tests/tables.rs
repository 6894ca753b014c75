//! Every action by everybody, and on everybody. The cells are [`word`]s; `-` stands for `not_member`, `no` for
//! `forbidden` and `none` for `not_found`. [`cast`] says who is who.

use crate::{Action, Authority, Role, RoomKind};

use super::{
    actions::*,
    cast::{VERAS, cast, message_by},
    world::{Ask, LOBBY, World, by, word},
};

/// Asks each row's question of each column's user, in a copy of the world, and compares the answers.
#[track_caller]
fn check(world: &World, table: &str, ask: impl Fn(&str, &str) -> Ask) {
    let mut rows = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let columns: Vec<&str> = rows.next().unwrap().split_whitespace().collect();
    let (mut wanted, mut found) = (String::new(), String::new());
    for row in rows {
        let words: Vec<&str> = row.split_whitespace().collect();
        let (label, cells) = words.split_at(words.len() - columns.len());
        let label = label.join(" ");
        let answers = columns.iter().map(|column| {
            let outcome = world.clone().ask(ask(&label, column));
            match word(&outcome) {
                "not_member" => "-",
                "forbidden" => "no",
                "not_found" => "none",
                other => other,
            }
        });
        found += &format!("{label}: {}\n", answers.collect::<Vec<_>>().join(" "));
        wanted += &format!("{label}: {}\n", cells.join(" "));
    }
    assert!(found == wanted, "{columns:?}\nfound:\n{found}\nwanted:\n{wanted}");
}

/// By a user of the cast; by a stranger whose token names the room; by the service.
fn asked_by(who: &str, action: impl FnOnce(&str) -> Action) -> Ask {
    match who {
        "granted" => by("zoe", action("zoe")).granted(),
        "service" => by("root", action("root")).for_the_service(),
        who => by(who, action(who)),
    }
}

/// What the rows of the tables by actor stand for.
fn named(action: &str, own: u64) -> Action {
    match action {
        "send" => send("hi"),
        "edit own" => edit(own, ""),
        "edit other" => edit(VERAS, ""),
        "delete own" => delete(own),
        "delete other" => delete(VERAS),
        "react" => react(VERAS, "+1"),
        "unreact" => unreact(VERAS, "+1"),
        "join" => join(),
        "join or create" => join_or_create(),
        "leave" => leave(),
        "create" => create(RoomKind::Public),
        "invite" => invite("nina", Role::Member),
        "kick" => kick("vera"),
        "ban" => ban("vera", None),
        "unban" => unban("ben"),
        "mute" => mute("vera", None),
        "unmute" => unmute("mia"),
        "set role" => set_role("vera", Role::Moderator),
        "update" => rename("Hall"),
        "close" => close(),
        "notify" => notify("news"),
        other => panic!("no action is called {other}"),
    }
}

fn by_actor(world: &World, room: &str, table: &str) {
    check(world, table, |action, who| {
        let act = |who: &str| named(action, message_by(world, who).unwrap_or(0));
        asked_by(who, act).to(room)
    });
}

#[test]
fn who_does_what_in_a_public_room() {
    let table = "
                       zoe ines leo ben    gus  mia   mary mona adam olga granted service
        send           -   -    -   banned no   muted ok   ok   ok   ok   -       ok
        edit own       -   -    -   banned no   muted ok   ok   ok   ok   -       none
        edit other     -   -    -   banned no   muted no   no   no   no   -       no
        delete own     -   -    -   banned ok   ok    ok   ok   ok   ok   -       none
        delete other   -   -    -   banned no   no    no   ok   ok   ok   -       ok
        react          -   -    -   banned ok   muted ok   ok   ok   ok   -       ok
        unreact        -   -    -   banned same muted same same same same -       same
        join           ok  ok   ok  banned same same  same same same same ok      ok
        join or create ok  ok   ok  banned same same  same same same same ok      ok
        leave          -   -    -   -      ok   ok    ok   ok   ok   ok   -       -
        invite         -   -    -   banned no   no    no   ok   ok   ok   -       ok
        kick           -   -    -   banned no   no    no   ok   ok   ok   -       ok
        ban            -   -    -   banned no   no    no   ok   ok   ok   -       ok
        unban          -   -    -   banned no   no    no   ok   ok   ok   -       ok
        mute           -   -    -   banned no   no    no   ok   ok   ok   -       ok
        unmute         -   -    -   banned no   no    no   ok   ok   ok   -       ok
        set role       -   -    -   banned no   no    no   no   ok   ok   -       ok
        update         -   -    -   banned no   no    no   no   ok   ok   -       ok
        close          -   -    -   banned no   no    no   no   no   ok   -       ok
        notify         no  no   no  no     no   no    no   no   no   no   no      no
    ";
    by_actor(&cast(RoomKind::Public), LOBBY, table);
}

#[test]
fn who_does_what_in_a_private_room() {
    let table = "
                       zoe ines leo orla ben    gus  mia   mary mona adam olga granted service
        send           -   -    -   -    banned no   muted ok   ok   ok   ok   -       ok
        react          -   -    -   -    banned ok   muted ok   ok   ok   ok   -       ok
        join           no  ok   no  ok   banned same same  same same same same ok      ok
        join or create no  ok   no  ok   banned same same  same same same same ok      ok
        leave          -   -    -   -    -      ok   ok    ok   ok   ok   ok   -       -
        invite         -   -    -   -    banned no   no    no   ok   ok   ok   -       ok
        close          -   -    -   -    banned no   no    no   no   no   ok   -       ok
    ";
    by_actor(&cast(RoomKind::Private), LOBBY, table);
}

#[test]
fn nobody_does_anything_in_a_room_that_is_closed_or_never_was() {
    let mut world = cast(RoomKind::Public);
    world.commits(by("olga", close()));
    let table = "
                       zoe  ines leo  ben  gus  mia  mary mona adam olga granted service
        send           none none none none none none none none none none none    none
        edit own       none none none none none none none none none none none    none
        edit other     none none none none none none none none none none none    none
        delete own     none none none none none none none none none none none    none
        delete other   none none none none none none none none none none none    none
        react          none none none none none none none none none none none    none
        unreact        none none none none none none none none none none none    none
        join           none none none none none none none none none none none    none
        leave          none none none none none none none none none none none    none
        invite         none none none none none none none none none none none    none
        kick           none none none none none none none none none none none    none
        ban            none none none none none none none none none none none    none
        unban          none none none none none none none none none none none    none
        mute           none none none none none none none none none none none    none
        unmute         none none none none none none none none none none none    none
        set role       none none none none none none none none none none none    none
        update         none none none none none none none none none none none    none
        close          none none none none none none none none none none none    none
        join or create ok   ok   ok   ok   ok   ok   ok   ok   ok   ok   ok      ok
        create         ok   ok   ok   ok   ok   ok   ok   ok   ok   ok   ok      ok
    ";
    by_actor(&world, LOBBY, table);
    by_actor(&world, "nowhere", table);
}

#[test]
fn nobody_makes_or_joins_a_room_of_the_service() {
    let table = "
                       zoe ines leo ben gus mia mary mona adam olga granted service
        create         no  no   no  no  no  no  no   no   no   no   no      no
        join           no  no   no  no  no  no  no   no   no   no   no      no
        join or create no  no   no  no  no  no  no   no   no   no   no      no
    ";
    for room in ["@all", "@zoe", "@dm:mary,zoe"] {
        by_actor(&cast(RoomKind::Public), room, table);
    }
}

#[test]
fn who_acts_on_whom() {
    let table = "
                       gus  mary mike anna omar ines ivan leo  alan orla ben  zoe  self
        vera kick      no   no   no   no   no   no   no   no   no   no   no   no   no
        vera ban       no   no   no   no   no   no   no   no   no   no   no   no   no
        vera unban     no   no   no   no   no   no   no   no   no   no   no   no   no
        vera mute      no   no   no   no   no   no   no   no   no   no   no   no   no
        vera unmute    no   no   no   no   no   no   no   no   no   no   no   no   no
        mona kick      ok   ok   no   no   no   ok   no   none none no   none none no
        adam kick      ok   ok   ok   no   no   ok   no   none none no   none none no
        olga kick      ok   ok   ok   ok   no   ok   ok   none none no   none none no
        service kick   ok   ok   ok   ok   ok   ok   ok   none none none none none no
        mona ban       ok   ok   no   no   no   ok   no   ok   ok   no   same ok   no
        adam ban       ok   ok   ok   no   no   ok   no   ok   ok   no   same ok   no
        olga ban       ok   ok   ok   ok   no   ok   ok   ok   ok   no   same ok   no
        service ban    ok   ok   ok   ok   ok   ok   ok   ok   ok   ok   same ok   no
        mona unban     same same same same same same same same same same ok   same same
        mona mute      ok   ok   no   no   no   none no   none none no   none none no
        adam mute      ok   ok   ok   no   no   none no   none none no   none none no
        olga mute      ok   ok   ok   ok   no   none none none none no   none none no
        service mute   ok   ok   ok   ok   ok   none none none none none none none no
        mona unmute    same same no   no   no   same no   same same no   same same no
        service unmute same same same same same same same same same same same same no
        vera demote    no   no   no   no   no   no   no   no   no   no   no   no   ok
        mona demote    no   no   no   no   no   no   no   no   no   no   no   no   ok
        adam demote    same ok   ok   no   no   none no   none none no   none none ok
        olga demote    same ok   ok   ok   no   none none none none no   none none ok
        service demote same ok   ok   ok   ok   none none none none none none none none
        mona invite    same same same same same same same ok   ok   same no   ok   same
    ";
    check(&cast(RoomKind::Public), table, |row, target| {
        let (actor, verb) = row.split_once(' ').unwrap();
        asked_by(actor, |who| {
            let target = if target == "self" { who } else { target };
            match verb {
                "kick" => kick(target),
                "ban" => ban(target, None),
                "unban" => unban(target),
                "mute" => mute(target, None),
                "unmute" => unmute(target),
                "demote" => set_role(target, Role::Guest),
                "invite" => invite(target, Role::Member),
                other => panic!("no action is called {other}"),
            }
        })
    });
}

#[test]
fn who_gives_which_role() {
    let table = "
                             guest member moderator admin owner
        mary gives a member  no    no     no        no    no
        mona gives a member  no    no     no        no    no
        adam gives a member  ok    same   ok        no    no
        olga gives a member  ok    same   ok        ok    ok
        service gives a member ok  same   ok        ok    ok
        mary invites         no    no     no        no    no
        mona invites         ok    ok     no        no    no
        adam invites         ok    ok     ok        no    no
        olga invites         ok    ok     ok        ok    no
        service invites      ok    ok     ok        ok    no
        mary steps to        ok    same   no        no    no
        mona steps to        ok    ok     same      no    no
        adam steps to        ok    ok     ok        same  no
        olga steps to        ok    ok     ok        ok    same
    ";
    check(&cast(RoomKind::Public), table, |row, role| {
        let (actor, verb) = row.split_once(' ').unwrap();
        let role = Role::parse(role).unwrap();
        asked_by(actor, |who| match verb {
            "gives a member" => set_role("vera", role),
            "invites" => invite("nina", role),
            _ => set_role(who, role),
        })
    });
}

/// The capacity in which somebody acts is no row's business: what a member may not, a grant does not allow.
#[test]
fn a_grant_adds_nothing_to_a_membership() {
    let world = cast(RoomKind::Private);
    for who in ["gus", "mia", "mary", "ben"] {
        for action in [
            "send",
            "edit other",
            "delete other",
            "kick",
            "set role",
            "update",
            "close",
            "join",
        ] {
            let [plain, granted] = [Authority::Member, Authority::Grant]
                .map(|authority| world.clone().ask(by(who, named(action, 0)).with(authority)));
            assert_eq!(word(&plain), word(&granted), "{who}, {action}");
        }
    }
}
