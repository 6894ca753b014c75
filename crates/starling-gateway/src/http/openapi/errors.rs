//! The problems that a request may end in, described once and referred to by every operation that may have them.

use utoipa::{
    PartialSchema, ToResponse, ToSchema,
    openapi::{
        Components, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        header::HeaderBuilder,
        path::{Operation, ParameterIn},
        schema::{ObjectBuilder, Schema, SchemaType, Type},
    },
};

use super::{super::problem::Details, needs_token, socket};
use crate::{http::rest, metrics::REFUSALS};

/// Status, name and description of a problem.
type Row = (&'static str, &'static str, &'static str);

const BAD_REQUEST: Row = (
    "400",
    "BadRequest",
    "The request is not understood (`invalid_message`): the message says what to change.",
);
const UNAUTHENTICATED: Row = (
    "401",
    "Unauthenticated",
    "No token, or one that does not verify (`unauthenticated`), or whose time is over (`token_expired`).",
);
const FORBIDDEN: Row = (
    "403",
    "Forbidden",
    "The rules do not let the caller do it: `forbidden`, `not_member`, `banned`, `muted`.",
);
const NOT_FOUND: Row = (
    "404",
    "NotFound",
    "It does not exist, or the caller may not know that it does (`not_found`).",
);
const CONFLICT: Row = (
    "409",
    "Conflict",
    "It does not fit to what is there: `conflict`, `room_exists`, `room_full`, `too_many_rooms`.",
);
const TOO_LARGE: Row = (
    "413",
    "TooLarge",
    "The body, or a part of it, is over its limit (`message_too_long`).",
);
const TOO_MANY: Row = (
    "429",
    "TooManyRequests",
    "A budget of the caller is empty (`rate_limited`), or the room is in slow mode (`slow_mode`).",
);
const INTERNAL: Row = (
    "500",
    "Internal",
    "A fault of the server; it has been logged (`internal`).",
);
const UNAVAILABLE: Row = (
    "503",
    "Unavailable",
    "A service behind the server is away; nothing was done (`unavailable`).",
);

const ALL: [Row; 9] = [
    BAD_REQUEST,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    CONFLICT,
    TOO_LARGE,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
];

/// For the operations that may end in a 409: only they name it.
pub(crate) enum Conflict {}

impl<'r> ToResponse<'r> for Conflict {
    fn response() -> (&'r str, RefOr<Response>) {
        (CONFLICT.1, response(&CONFLICT).into())
    }
}

fn response((status, _, about): &Row) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Details::name())))
        .build();
    let response = ResponseBuilder::new()
        .description(*about)
        .content("application/problem+json", content);
    if matches!(*status, "429" | "503") {
        let seconds = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .build();
        let header = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("Seconds to wait"))
            .build();
        return response.header("Retry-After", header).build();
    }
    response.build()
}

/// Adds the problems, to the document and to every operation that may end in them.
pub(super) fn add(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    for row in &ALL {
        components
            .responses
            .insert(row.1.to_owned(), response(row).into());
    }
    describe(components);
    for (path, item) in &mut api.paths.paths {
        if !path.starts_with(rest::PREFIX) {
            continue;
        }
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            complete(operation);
        }
    }
}

/// Every route but a guest's needs a token, and all may be refused for the same reasons.
fn complete(operation: &mut Operation) {
    let tagged = |name: &str| operation.tags.iter().flatten().any(|tag| tag == name);
    let (of_admin, of_guests) = (tagged("admin"), tagged("guests"));
    if !of_guests {
        operation.security = Some(needs_token());
    }
    let named = |name: &str| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Path && parameter.name == name,
            RefOr::Ref(_) => false,
        })
    };
    let in_room = named("roomId");
    let mut rows = vec![BAD_REQUEST, UNAUTHENTICATED, TOO_MANY, INTERNAL, UNAVAILABLE];
    if in_room || of_admin || named("userId") {
        rows.push(FORBIDDEN);
    }
    if in_room || of_guests {
        rows.push(NOT_FOUND);
    }
    if operation.request_body.is_some() {
        rows.push(TOO_LARGE);
    }
    for (status, name, _) in rows {
        let reference = Ref::from_response_name(name);
        operation
            .responses
            .responses
            .insert(status.to_owned(), reference.into());
    }
}

/// The body of a problem, and the codes that it may hold.
fn describe(components: &mut Components) {
    let mut found = vec![(Details::name().into_owned(), Details::schema())];
    Details::schemas(&mut found);
    components.schemas.extend(found);
    let codes = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some("Why something was refused"))
        .enum_values(Some(REFUSALS))
        .build();
    components
        .schemas
        .insert(socket::ERROR_CODE.to_owned(), codes.into());
    let error = components.schemas.get_mut("ErrorBody");
    if let Some(RefOr::T(Schema::Object(error))) = error {
        let code = Ref::from_schema_name(socket::ERROR_CODE);
        error.properties.insert("code".to_owned(), code.into());
    }
}
