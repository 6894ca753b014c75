//! As much of JSON Schema as the document uses: enough to hold an answer against its description.

use serde_json::Value;

/// Looks up a reference such as `#/components/schemas/Sent`.
pub(crate) fn resolve<'a>(document: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference
        .strip_prefix('#')
        .unwrap_or_else(|| panic!("{reference} leads elsewhere"));
    document
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// What is wrong with a value, where something is.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, resolve(document, reference), value);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().try_for_each(|one| check(document, one, value));
    }
    if let Some(some) = schema["oneOf"].as_array() {
        let fits = some
            .iter()
            .filter(|one| check(document, one, value).is_ok())
            .count();
        return if fits == 1 {
            Ok(())
        } else {
            Err(format!("{value} fits {fits} of oneOf"))
        };
    }
    let known = schema["enum"].as_array();
    if known.is_some_and(|known| !known.contains(value)) {
        return Err(format!("{value} is not one of {known:?}"));
    }
    check_type(schema, value)?;
    if let (Some(values), items) = (value.as_array(), &schema["items"]) {
        values.iter().try_for_each(|one| check(document, items, one))?;
    }
    check_fields(document, schema, value)
}

fn check_type(schema: &Value, value: &Value) -> Result<(), String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => return Ok(()),
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("a type of its own: {other}"),
    });
    if fits {
        Ok(())
    } else {
        Err(format!("{value} is not {kinds:?}"))
    }
}

fn check_fields(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.get(name).is_none() {
            return Err(format!("{name} is missing in {value}"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][name];
        let rule = if known.is_null() {
            &schema["additionalProperties"]
        } else {
            known
        };
        if rule.is_object() {
            check(document, rule, value).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}
