//! Lua scripts, and what they reply.
//!
//! fred takes any array for a published message that has three or four elements and begins with a word such as
//! `message` or `subscribe`, and from then on gives every reply on that connection to the wrong caller. So a script
//! here replies with one integer, or with an array that begins with one; what users wrote is one level further down.

use fred::{bytes_utils::Str, clients::Client, interfaces::LuaInterface, types::Value};
use sha1::{Digest, Sha1};

use super::link::{Link, LinkError};

/// Users, rooms or sessions in one call: Redis serves nobody else while a script runs, and this many take about half
/// a millisecond.
pub(super) const BATCH: usize = 256;

/// A script that Redis keeps under the digest of its text.
#[derive(Debug)]
pub(super) struct Script {
    name: &'static str,
    text: &'static str,
    digest: Str,
}

/// `script!("renew")`: the script in `scripts/renew.lua`; `script!("lookup" behind "counts")`: with the functions of
/// `scripts/counts.lua` before it.
macro_rules! script {
    ($name:literal) => {
        $crate::redis::script::Script::new($name, $crate::redis::script::lua!($name))
    };
    ($name:literal behind $functions:literal) => {
        $crate::redis::script::Script::new(
            $name,
            concat!(
                $crate::redis::script::lua!($functions),
                $crate::redis::script::lua!($name)
            ),
        )
    };
}
macro_rules! lua {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/redis/scripts/",
            $name,
            ".lua"
        ))
    };
}
pub(super) use lua;
pub(super) use script;

impl Script {
    pub(super) fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            digest: hex::encode(Sha1::digest(text)).into(),
        }
    }

    /// Runs it, and hands its text over where the server does not know it.
    pub(super) async fn run(
        &self,
        link: &Link,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<Value, LinkError> {
        let bytes = args
            .iter()
            .map(|arg| arg.as_bytes().map_or(8, <[u8]>::len) + 16)
            .sum();
        let known = {
            let (keys, args) = (keys.clone(), args.clone());
            let digest = self.digest.clone();
            link.call(
                bytes,
                |client| async move { client.evalsha(digest, keys, args).await },
            )
        };
        match known.await {
            Err(LinkError::Redis(error)) if error.details().starts_with("NOSCRIPT") => {
                let text = self.text;
                let whole = |client: Client| async move { client.eval(text, keys, args).await };
                link.call(bytes + text.len(), whole).await
            }
            result => result,
        }
    }

    /// Runs a script that replies with one integer.
    pub(super) async fn integer(
        &self,
        link: &Link,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<i64, LinkError> {
        match self.run(link, keys, args).await? {
            Value::Integer(number) => Ok(number),
            _ => Err(LinkError::Reply(self.name)),
        }
    }

    /// Runs a script that replies with an array: its first integer, and what follows.
    pub(super) async fn array(
        &self,
        link: &Link,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<(i64, Items), LinkError> {
        let mut items = Items {
            script: self.name,
            values: match self.run(link, keys, args).await? {
                Value::Array(values) => values.into_iter(),
                _ => return Err(LinkError::Reply(self.name)),
            },
        };
        let first = items.integer()?;
        Ok((first, items))
    }
}

/// The elements of a reply, in order.
pub(super) struct Items {
    script: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Items {
    pub(super) fn integer(&mut self) -> Result<i64, LinkError> {
        match self.values.next() {
            Some(Value::Integer(number)) => Ok(number),
            _ => Err(LinkError::Reply(self.script)),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, LinkError> {
        self.values
            .next()
            .and_then(Value::into_string)
            .ok_or(LinkError::Reply(self.script))
    }

    /// All that is left, as texts.
    pub(super) fn texts(mut self) -> Result<Vec<String>, LinkError> {
        let mut texts = Vec::with_capacity(self.values.len());
        while self.values.len() > 0 {
            texts.push(self.text()?);
        }
        Ok(texts)
    }

    pub(super) fn items(&mut self) -> Result<Items, LinkError> {
        match self.values.next() {
            Some(Value::Array(values)) => Ok(Items {
                script: self.script,
                values: values.into_iter(),
            }),
            _ => Err(LinkError::Reply(self.script)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.len() == 0
    }
}
