"""A client written from the protocol's description alone, in another language and with another WebSocket library.

It walks through every command in both codecs and asserts the shape of each answer and event. Arguments: the base URL
(ws://host:port) and the secret that signs tokens. The last line is "stranger: ok".
"""

import asyncio
import itertools
import json
import re
import sys
import time
import uuid

import jwt
import msgpack
import websockets

URL, SECRET = sys.argv[1], sys.argv[2]
DEADLINE = 20
CODECS = ("json", "msgpack")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
CURSOR = re.compile(r"^\d+\.[0-9a-f]{8}$")


def token(user, ttl=3600, secret=SECRET, **claims):
    claims = {"sub": user, "exp": int(time.time()) + ttl, **claims}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, "HS256")


def check(value, shape, path="$"):
    """A shape is a type, a pattern, a value, a list of one shape, or a map whose keys may end in "?" (optional)."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{path}: a map, not {value!r}"
        known = {key.rstrip("?") for key in shape}
        assert set(value) <= known, f"{path}: unexpected {set(value) - known} in {value}"
        for key, inner in shape.items():
            name = key.rstrip("?")
            if name in value:
                check(value[name], inner, f"{path}.{name}")
            else:
                assert key.endswith("?"), f"{path}: no {name} in {value}"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path}: a list, not {value!r}"
        for at, item in enumerate(value):
            check(item, shape[0], f"{path}[{at}]")
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str) and shape.match(value), f"{path}: {shape.pattern}, not {value!r}"
    elif isinstance(shape, tuple):
        assert value in shape, f"{path}: one of {shape}, not {value!r}"
    elif isinstance(shape, type):
        assert type(value) is shape, f"{path}: {shape.__name__}, not {value!r}"
    else:
        assert value == shape, f"{path}: {shape!r}, not {value!r}"
    return value


STATUS = ("online", "away", "busy", "offline")
ROLE = ("owner", "admin", "moderator", "member", "guest")
ROOM = {
    "roomId": str, "name": str, "kind": ("public", "private", "direct"), "description": str, "maxMembers": int,
    "memberCount": int, "settings": dict, "createdBy": str, "createdAt": TIME, "head": int,
}
LISTED = {**ROOM, "role?": ROLE, "unread?": int, "mentions?": int}
MESSAGE = {
    "roomId": str, "seq": int, "messageId": str, "senderId": str, "senderName?": str, "clientId?": str, "content": str,
    "contentType": str, "replyTo?": int, "thread?": int, "replyCount": int, "attachments?": list, "mentions?": [str],
    "metadata?": dict, "reactions?": dict, "createdAt": TIME, "editedAt?": TIME, "deletedAt?": TIME,
}
EVENT = {
    "roomId": str, "seq": int, "cursor": CURSOR, "eventId": str, "senderId": str, "senderName?": str, "clientId?": str,
    "createdAt": TIME,
}
CREATED = {
    **EVENT, "messageId": str, "content": str, "contentType": str, "replyTo?": int, "thread?": int,
    "attachments?": list, "mentions?": [str], "metadata?": dict,
}
JOINED = {
    "room": ROOM, "role": ROLE, "head": int, "cursor": CURSOR, "messages": [MESSAGE], "onlineCount": int, "unread": int,
    "mentions": int, "limited?": bool,
}
LIVE = {"roomId": str, "head": int, "cursor": CURSOR, "limited?": bool, "unread": int, "mentions": int}
SENT = {"roomId": str, "seq": int, "messageId": str, "createdAt": TIME, "duplicate": bool}
APPENDED = {"roomId": str, "seq?": int}
PRESENCE = {"userId": str, "status": STATUS, "customStatus": (None, "in a meeting"), "lastSeenAt": str}
WELCOME = {
    "sessionId": str, "userId": str, "nodeId": str, "serverTime": TIME, "heartbeatMs": int, "resumeWindow": int,
    "limits": {
        "maxFrameBytes": int, "maxContentLength": int, "commandsPerMinute": int, "messagesPerMinute": int,
        "connectionsPerUser": int, "maxUnacked": int, "roomsPerSession": int, "maxWatched": int,
        "replayEventsPerConnection": int,
    },
}


def presence(user):
    """lastSeenAt is null or a time."""
    last_seen = user["lastSeenAt"]
    assert last_seen is None or TIME.match(last_seen), user
    check(user, {**PRESENCE, "lastSeenAt": type(last_seen)})
    return user


class Client:
    def __init__(self, codec):
        self.codec, self.ids, self.inbox, self.changed = codec, itertools.count(1), [], asyncio.Event()
        self.closed = None

    async def open(self, user, how="header", ask_codec=True, **claims):
        url, headers, signed = URL + "/ws", {}, token(user, **claims)
        if how == "header":
            headers["Authorization"] = "Bearer " + signed
        elif how == "query":
            url += "?token=" + signed
        protocols = ["starling.v1." + self.codec] if ask_codec else None
        self.socket = await websockets.connect(url, subprotocols=protocols, additional_headers=headers)
        self.reader = asyncio.create_task(self.read())
        if how == "frame":
            reply = await self.call("authenticate", {"token": signed})
            check(reply, {"userId": user})
        if how != "none":
            check(await self.event("welcome"), {**WELCOME, "userId": user})
        return self

    async def read(self):
        try:
            async for message in self.socket:
                is_text = isinstance(message, str)
                assert is_text == (self.codec == "json"), "the frame's type is the codec's"
                envelope = json.loads(message) if is_text else msgpack.unpackb(message)
                check(envelope, {"type": str, "id?": type(envelope.get("id")), "data": dict})
                batch = envelope["data"]["events"] if envelope["type"] == "batch" else [envelope]
                self.inbox.extend(batch)
                self.changed.set()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.closed = self.socket.close_code
            self.changed.set()

    async def post(self, envelope):
        await self.socket.send(json.dumps(envelope) if self.codec == "json" else msgpack.packb(envelope))

    async def find(self, what, such):
        async def waiting():
            while True:
                for envelope in self.inbox:
                    if such(envelope):
                        self.inbox.remove(envelope)
                        return envelope
                assert self.closed is None, f"waited for {what}; closed with {self.closed} after {self.inbox}"
                self.changed.clear()
                await self.changed.wait()

        try:
            return await asyncio.wait_for(waiting(), DEADLINE)
        except asyncio.TimeoutError:
            raise AssertionError(f"waited for {what} in {self.inbox}") from None

    async def reply(self, kind, data, identifier=None):
        identifier = identifier or str(next(self.ids))
        await self.post({"type": kind, "id": identifier, "data": data})
        return await self.find(f"the reply to {kind}", lambda e: e.get("id") == identifier)

    async def call(self, kind, data, answer="ok"):
        envelope = await self.reply(kind, data)
        assert envelope["type"] == answer, f"{kind} {data}: {envelope}"
        return envelope["data"]

    async def refused(self, kind, data, code):
        envelope = await self.reply(kind, data)
        assert envelope["type"] == "error", f"{kind} {data}: {envelope}"
        return check(envelope["data"], {"code": code, "message": str, "retryAfterMs?": int})

    async def event(self, kind, **fields):
        def such(envelope):
            data = envelope["data"]
            return envelope["type"] == kind and "id" not in envelope and all(data.get(k) == v for k, v in fields.items())

        return (await self.find(f"{kind} {fields}", such))["data"]

    async def settled(self):
        """All that had been sent before the answer to a ping."""
        check(await self.call("ping", {}, "pong"), {"serverTime": TIME})
        came, self.inbox = self.inbox, []
        return came

    async def close_code(self):
        await asyncio.wait_for(asyncio.wait([self.reader]), DEADLINE)
        return self.closed

    async def close(self):
        await self.socket.close()
        await self.reader


async def connecting(codec):
    for how in ("header", "query", "frame"):
        client = await Client(codec).open("carol", how)
        await client.close()
    if codec == "json":
        await (await Client(codec).open("carol", ask_codec=False)).close()

    for bad in ("nonsense", token("carol", secret="x" * 32), token("carol", ttl=-3600), token("carol", exp=None)):
        try:
            await websockets.connect(URL + "/ws?token=" + bad)
            raise SystemExit("a bad token was let in")
        except websockets.InvalidStatus as error:
            assert error.response.status_code == 401, error
            body = json.loads(error.response.body)
            assert body["code"] in ("unauthenticated", "token_expired"), body

    stranger = await Client(codec).open("carol", "none")
    await stranger.refused("list_rooms", {}, "unauthenticated")
    await stranger.post({"type": "authenticate", "data": {"token": "nonsense"}})
    check(await stranger.event("error"), {"code": "unauthenticated", "message": str})
    assert await stranger.close_code() == 4500

    client = await Client(codec).open("carol")
    check(await client.call("refresh_token", {"token": token("carol", 7200)}), {"expiresAt": TIME})
    await client.refused("refresh_token", {"token": token("dave")}, "unauthenticated")
    await client.refused("authenticate", {"token": token("carol")}, "invalid_message")
    await client.refused("refresh_token", {"token": "nonsense"}, "unauthenticated")
    assert await client.close_code() == 4500

    brief = await Client(codec).open("carol", ttl=30)
    check(await brief.event("token_expiring"), {"expiresAt": TIME})
    await brief.close()


async def envelopes(a):
    for identifier in ("x" * 40, 7, "7"):
        answer = await a.reply("ping", {}, identifier)
        check(answer, {"type": "pong", "id": identifier, "data": {"serverTime": TIME}})
    await a.post({"type": "ping"})
    check(await a.event("pong"), {"serverTime": TIME})
    await a.post({"type": "list_rooms", "data": {}})
    assert all("id" in e or e["type"] == "presence_changed" for e in await a.settled()), "without an id, no ok"
    await a.refused("make_coffee", {}, "unknown_type")
    await a.refused("join_room", {}, "invalid_message")
    await a.refused("join_room", {"roomId": "a b"}, "invalid_message")
    await a.call("ping", {"unknown": 1}, "pong")


async def rooms(a, b, run):
    room = f"room-{run}"
    created = await a.call("create_room", {"roomId": f"own-{run}", "name": "Own", "kind": "private", "description": "d"})
    check(created, {**ROOM, "kind": "private", "name": "Own", "createdBy": a.user, "memberCount": 1})
    await a.refused("create_room", {"roomId": f"own-{run}", "name": "Own"}, "room_exists")
    assert len((await a.call("create_room", {"name": "No id"}))["roomId"]) > 0
    await b.refused("subscribe_to", {}, "unknown_type")
    denied = await b.reply("join_room", {"roomId": f"own-{run}"})
    check(denied["data"], {"code": ("forbidden", "not_found", "not_member"), "message": str})

    check(await a.call("join_room", {"roomId": room}), {**JOINED, "role": "owner", "messages": []})
    joined = check(await b.call("join_room", {"roomId": room, "history": 10}), {**JOINED, "role": "member"})
    assert joined["room"]["memberCount"] == 2 and joined["cursor"].startswith(f"{joined['head']}.")
    event = check(await a.event("member_joined", userId=b.user), {**EVENT, "userId": str, "role": ROLE, "name?": str})
    assert event["roomId"] == room and event["seq"] == joined["head"]
    again = check(await b.call("join_room", {"roomId": room}), JOINED)
    assert again["head"] == joined["head"], "joining twice is joining once"

    listed = check(await b.call("list_rooms", {"limit": 200}), {"rooms": [LISTED], "hasMore": bool, "next?": str})
    assert room in [r["roomId"] for r in listed["rooms"]]
    page = check(await a.call("list_rooms", {"limit": 1}), {"rooms": [LISTED], "hasMore": True, "next": str})
    assert page["next"] == page["rooms"][-1]["roomId"]
    after = await a.call("list_rooms", {"limit": 1, "after": page["next"]})
    assert after["rooms"][0]["roomId"] > page["next"]
    public = await b.call("list_rooms", {"scope": "public", "limit": 200})
    assert f"own-{run}" not in [r["roomId"] for r in public["rooms"]]
    member = {"userId": str, "name?": str, "role": ROLE, "joinedAt": TIME, "muted?": bool, "status?": STATUS}
    members = check(await a.call("list_members", {"roomId": room}), {"members": [member], "hasMore": False})
    assert [m["userId"] for m in members["members"]] == sorted([a.user, b.user])
    return room


async def messages(a, b, room):
    draft = {"roomId": room, "clientId": "c1", "content": "hé 🙂", "mentions": [b.user], "metadata": {"k": [1, None]}}
    sent = check(await a.call("send_message", draft), {**SENT, "duplicate": False})
    for client in (a, b):
        event = check(await client.event("message_created", roomId=room, seq=sent["seq"]), CREATED)
        assert event["messageId"] == sent["messageId"] == event["eventId"] and event["clientId"] == "c1"
        assert (event["content"], event["metadata"]) == ("hé 🙂", {"k": [1, None]})
    again = await a.call("send_message", draft)
    assert again == {**sent, "duplicate": True}, again
    await a.refused("send_message", {**draft, "content": "other"}, "conflict")
    quiet = await a.call("send_message", {"roomId": room, "clientId": "c2", "content": "quiet", "echo": False})
    assert quiet["seq"] == sent["seq"] + 1
    check(await b.event("message_created", seq=quiet["seq"], roomId=room), CREATED)
    assert all(e["type"] != "message_created" for e in await a.settled()), "echo: false"
    reply = await b.call("send_message", {
        "roomId": room, "clientId": "c1", "content": "an answer", "replyTo": sent["seq"], "thread": sent["seq"],
    })
    event = await a.event("message_created", seq=reply["seq"], roomId=room)
    assert event["replyTo"] == event["thread"] == sent["seq"]

    direct = check(await b.call("send_message", {"recipientId": a.user, "clientId": "d1", "content": "psst"}), SENT)
    assert direct["roomId"] == "@dm:" + ",".join(sorted([a.user, b.user]))
    check(await a.event("message_created", roomId=direct["roomId"]), {**CREATED, "content": "psst"})
    for data, code in (
        ({"roomId": room, "clientId": "e", "content": ""}, "invalid_message"),
        ({"clientId": "e", "content": "x"}, "invalid_message"),
        ({"roomId": room, "clientId": "e", "content": "x" * 10_001}, "message_too_long"),
        ({"roomId": "nowhere", "clientId": "e", "content": "x"}, "not_found"),
    ):
        await a.refused("send_message", data, code)

    check(await a.call("edit_message", {"roomId": room, "seq": sent["seq"], "content": "edited"}), APPENDED)
    check(await b.event("message_updated"), {**EVENT, "refSeq": sent["seq"], "content": "edited"})
    await b.refused("edit_message", {"roomId": room, "seq": sent["seq"], "content": "mine"}, "forbidden")
    reaction = {"roomId": room, "seq": sent["seq"], "emoji": "👍"}
    check(await b.call("add_reaction", reaction), {"roomId": room, "seq": int})
    check(await a.event("reaction_added"), {**EVENT, "refSeq": sent["seq"], "emoji": "👍"})
    check(await b.call("add_reaction", reaction), {"roomId": room})
    history = check(await a.call("fetch_history", {"roomId": room}), {"messages": [MESSAGE], "hasMore": False})
    first = history["messages"][0]
    assert first["content"] == "edited" and "editedAt" in first and first["replyCount"] == 1
    assert first["reactions"]["👍"]["count"] == 1 and b.user in first["reactions"]["👍"]["users"], first
    check(await b.call("remove_reaction", reaction), {"roomId": room, "seq": int})
    check(await a.event("reaction_removed"), {**EVENT, "refSeq": sent["seq"], "emoji": "👍"})
    check(await a.call("delete_message", {"roomId": room, "seq": quiet["seq"]}), APPENDED)
    check(await b.event("message_deleted"), {**EVENT, "refSeq": quiet["seq"]})

    read = check(await b.call("mark_read", {"roomId": room, "seq": sent["seq"]}),
                 {"roomId": room, "seq": int, "unread": int, "mentions": 0})
    assert (await b.call("mark_read", {"roomId": room, "seq": 1}))["seq"] == read["seq"], "it never goes back"
    check(await a.event("read_updated"),
          {"roomId": room, "userId": b.user, "seq": int, "unread?": int, "mentions?": int})
    return sent, reply


async def history(a, room, sent, reply):
    page = {"messages": [MESSAGE], "hasMore": bool}
    newest = check(await a.call("fetch_history", {"roomId": room, "limit": 1}), {**page, "hasMore": True})
    assert newest["messages"][0]["seq"] == reply["seq"]
    before = await a.call("fetch_history", {"roomId": room, "before": reply["seq"], "limit": 1})
    assert before["messages"][0]["seq"] == reply["seq"] - 1 and "deletedAt" in before["messages"][0]
    after = await a.call("fetch_history", {"roomId": room, "after": sent["seq"], "limit": 200})
    assert [m["seq"] for m in after["messages"]] == [sent["seq"] + 1, reply["seq"]]
    around = await a.call("fetch_history", {"roomId": room, "around": reply["seq"], "limit": 2})
    assert reply["seq"] in [m["seq"] for m in around["messages"]]
    thread = await a.call("fetch_history", {"roomId": room, "thread": sent["seq"]})
    assert reply["seq"] in [m["seq"] for m in thread["messages"]]
    await a.refused("fetch_history", {"roomId": room, "limit": "many"}, "invalid_message")
    events = check(await a.call("fetch_events", {"roomId": room}), {"events": [dict], "hasMore": False})["events"]
    assert [e["data"]["seq"] for e in events] == list(range(1, len(events) + 1)), "dense"
    assert all(CURSOR.match(e["data"]["cursor"]) and "type" in e for e in events)
    page = await a.call("fetch_events", {"roomId": room, "after": 2, "limit": 1})
    assert page["events"] == events[2:3] and page["hasMore"]
    return events


async def following(a, b, room, events):
    await b.call("unsubscribe", {"roomIds": [room]})
    missed = await a.call("send_message", {"roomId": room, "clientId": "missed", "content": "missed"})
    assert not [e for e in await b.settled() if e["data"].get("seq") == missed["seq"]], "unsubscribed"
    cursor = events[-2]["data"]["cursor"]
    wanted = [{"roomId": room, "cursor": cursor}, {"roomId": "nowhere"}, {"roomId": "a b"}]
    live, nowhere, bad = (await b.call("subscribe", {"rooms": wanted}))["rooms"]
    check(live, {**LIVE, "roomId": room, "head": missed["seq"]})
    check(nowhere, {"roomId": "nowhere", "error": {"code": "not_found", "message": str}})
    check(bad, {"roomId": "a b", "error": {"code": "invalid_message", "message": str}})
    replay = [e for e in await b.settled() if e["data"].get("roomId") == room and "seq" in e["data"]]
    assert replay[0] == events[-1], "an event is the same live, replayed and paged"
    assert replay[1]["data"]["seq"] == missed["seq"] and len(replay) == 2, replay
    await b.call("unsubscribe", {"roomIds": [room]})
    everything = check(await b.call("subscribe", {"all": True, "cursors": {room: cursor}}), {"rooms": [dict]})["rooms"]
    assert any(r["roomId"] == room for r in everything) and any(r["roomId"].startswith("@dm:") for r in everything)
    assert [e["data"]["seq"] for e in await b.settled() if e["data"].get("roomId") == room] == [
        events[-1]["data"]["seq"], missed["seq"],
    ]
    await b.refused("subscribe", {}, "invalid_message")


async def ephemeral(a, b, room):
    await a.call("typing_start", {"roomId": room})
    check(await b.event("typing"), {"roomId": room, "userId": a.user, "isTyping": True})
    await a.call("typing_stop", {"roomId": room})
    check(await b.event("typing"), {"roomId": room, "userId": a.user, "isTyping": False})
    await a.call("typing_start", {"roomId": room})
    check(await b.event("typing"), {"roomId": room, "userId": a.user, "isTyping": True})
    began = time.monotonic()
    check(await b.event("typing"), {"roomId": room, "userId": a.user, "isTyping": False})
    assert 1 < time.monotonic() - began < 6, "it ends by itself"
    payload = {"x": 1, "y": [None, "é"]}
    await a.call("signal", {"roomId": room, "name": "pointer", "payload": payload})
    check(await b.event("signal"), {"roomId": room, "senderId": a.user, "name": "pointer", "payload": dict})
    await a.refused("signal", {"roomId": room, "name": "pointer", "payload": "x" * 5000}, "message_too_long")

    watched = check(await b.call("watch_presence", {"userIds": [a.user]}), {"users": [dict]})
    assert presence(watched["users"][0])["userId"] == a.user
    await b.settled()
    reply = await a.call("set_presence", {"status": "busy", "customStatus": "in a meeting"})
    check(reply, {"status": "busy", "customStatus": "in a meeting"})
    while True:
        users = (await b.event("presence_changed"))["users"]
        if [presence(u)["status"] for u in users] == ["busy"]:
            assert users[0]["customStatus"] == "in a meeting"
            break
    await a.call("set_presence", {"status": "invisible"})
    changed = (await b.event("presence_changed"))["users"][0]
    assert presence(changed)["status"] == "offline", "nobody sees who is invisible"
    await a.refused("set_presence", {"status": "offline"}, "invalid_message")
    await b.call("unwatch_presence", {"userIds": [a.user]})
    await a.call("set_presence", {"status": "online"})

    check(await b.call("leave_room", {"roomId": room}), APPENDED)
    check(await a.event("member_left"), {**EVENT, "userId": b.user, "reason?": str})
    await b.refused("fetch_history", {"roomId": room}, "not_member")
    await b.refused("send_message", {"roomId": room, "clientId": "z", "content": "x"}, "not_member")


async def moderation(a, b, run):
    room = f"own-{run}"
    act = {"roomId": room, "userId": b.user}
    check(await a.call("invite", act), APPENDED)
    check(await b.call("join_room", {"roomId": room}), {**JOINED, "role": "member"})
    check(await a.call("set_role", {**act, "role": "moderator"}), APPENDED)
    check(await b.event("member_role_changed"), {**EVENT, "userId": b.user, "role": "moderator"})
    await b.refused("update_room", {"roomId": room, "maxMembers": 0}, "invalid_message")
    check(await a.call("mute", {**act, "reason": "loud"}), APPENDED)
    check(await b.event("member_muted"), {**EVENT, "userId": b.user, "until?": TIME, "reason": "loud"})
    await b.refused("send_message", {"roomId": room, "clientId": "m", "content": "x"}, "muted")
    check(await a.call("unmute", act), APPENDED)
    check(await b.event("member_unmuted"), {**EVENT, "userId": b.user})
    check(await a.call("update_room", {"roomId": room, "name": "Renamed"}), {**ROOM, "name": "Renamed"})
    check(await b.event("room_updated"), {**EVENT, "name": "Renamed"})
    check(await a.call("kick", act), APPENDED)
    check(await b.event("member_kicked"), {**EVENT, "userId": b.user, "reason?": str})
    check(await a.call("ban", act), APPENDED)
    await b.refused("join_room", {"roomId": room}, "banned")
    check(await a.call("unban", act), APPENDED)
    # Who creates a room is its owner, and follows it live when they ask for that.
    await a.call("subscribe", {"rooms": [{"roomId": room}]})
    check(await a.call("delete_room", {"roomId": room}), APPENDED)
    check(await a.event("room_deleted"), EVENT)
    await a.refused("send_message", {"roomId": room, "clientId": "late", "content": "x"}, "not_found")


async def closing(codec, run):
    user = f"many-{run}"
    most = 5
    clients = [await Client(codec).open(user) for _ in range(most)]
    protocols = ["starling.v1." + codec]
    headers = {"Authorization": "Bearer " + token(user)}
    sixth = await websockets.connect(URL + "/ws", subprotocols=protocols, additional_headers=headers)
    await asyncio.wait_for(sixth.wait_closed(), DEADLINE)
    assert sixth.close_code == 4503, sixth.close_code
    for client in clients:
        await client.close()

    clumsy = await Client(codec).open(f"clumsy-{run}")
    bad = "{" if codec == "json" else b"\xc1"
    await clumsy.socket.send(bad)
    check(await clumsy.event("error"), {"code": "invalid_message", "message": str})
    await clumsy.call("ping", {}, "pong")
    for _ in range(19):
        await clumsy.socket.send(bad)
    assert await clumsy.close_code() == 4502


async def walk(codec):
    run = f"{codec}-{uuid.uuid4().hex[:8]}"
    await connecting(codec)
    a, b = Client(codec), Client("json" if codec == "msgpack" else "msgpack")
    a.user, b.user = f"alice-{run}", f"bob-{run}"
    await a.open(a.user, name="Alice")
    await b.open(b.user)
    await envelopes(a)
    room = await rooms(a, b, run)
    sent, reply = await messages(a, b, room)
    events = await history(a, room, sent, reply)
    await following(a, b, room, events)
    await ephemeral(a, b, room)
    await moderation(a, b, run)
    await a.close()
    await b.close()
    await closing(codec, run)
    print(f"stranger: {codec} ok", flush=True)


async def main():
    for codec in CODECS:
        await walk(codec)
    print("stranger: ok")


asyncio.run(main())
