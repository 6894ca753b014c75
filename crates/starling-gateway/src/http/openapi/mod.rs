//! The description of the API (OpenAPI 3.1): what the routes say of themselves, and around it what they share.
//!
//! | module | what it holds |
//! |---|---|
//! | [`errors`] | the problems that a request may end in |
//! | [`socket`] | the words of the socket: commands, replies, events |

mod errors;
mod socket;

use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, SecurityRequirement, Server,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

pub(crate) use self::{errors::Conflict, socket::EventsPage};

/// Where the document is.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

const ABOUT: &str = "Chat and live rooms. What a socket does by commands is done here by requests; what happens in a \
room is heard over the socket, or read from its events.

Ids are strings, and a JSON integer is read as its decimal text. Times are RFC 3339 in UTC. Errors are \
`application/problem+json` with the codes that the socket has.

## The socket
`GET /ws` with the token. One frame is one object `{\"type\", \"id\"?, \"data\"}`, in JSON or, with the subprotocol \
`starling.v1.msgpack`, in MessagePack. A command with an `id` gets one reply: `ok`, `pong` or `error`, with the same \
`id`. The schemas `SocketCommands`, `SocketReplies` and `SocketEvents` have one property for each `type`: the schema \
of its `data`.";

const TAGS: [(&str, &str); 8] = [
    (
        "guests",
        "Come in without an account, where the operator lets you. No token is needed.",
    ),
    ("rooms", "Make, find, change and close rooms."),
    ("members", "Join, leave, invite and moderate."),
    ("messages", "Send, change, read and react."),
    (
        "presence",
        "What leaves nothing behind: typing, signals, who is online.",
    ),
    ("admin", "For tokens with the role `admin`."),
    ("socket", "Live events and commands."),
    ("operations", "For balancers, monitors and people."),
];

/// The description of the API, OpenAPI 3.1 as JSON: the same text for the same version.
#[must_use]
pub fn openapi() -> String {
    let (_, described) = super::routes().split_for_parts();
    text(described)
}

/// Completes what the routes say of themselves.
pub(crate) fn text(described: OpenApi) -> String {
    let mut api = described;
    api.info = InfoBuilder::new()
        .title("Starling")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    api.servers = Some(vec![Server::new("/")]);
    let tag = |(name, about): (&str, &str)| TagBuilder::new().name(name).description(Some(about)).build();
    api.tags = Some(TAGS.map(tag).into());
    let components = api.components.get_or_insert_default();
    secure(components);
    socket::describe(components);
    api.paths.paths.insert("/ws".into(), socket::path());
    errors::add(&mut api);
    let mut text = api
        .to_pretty_json()
        .expect("a document of strings, numbers and maps by string has a JSON form");
    text.push('\n');
    text
}

const BEARER: &str = "bearer";

fn secure(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A JWT whose `sub` is the user. Where no header can be set, as `?token=` in the address.",
        ))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
}

fn needs_token() -> Vec<SecurityRequirement> {
    vec![SecurityRequirement::new(BEARER, [] as [&str; 0])]
}
