//! The section `[cors]`.

use super::{
    kind::{List, WebOrigin},
    section::{Rules, Validate, section},
};

section! {
    /// Which other web sites may use this server from their pages.
    struct CorsConfig("cors") {
        /// Origins that may call the HTTP API, or "*" for all. Empty: only pages of this server.
        origins: Vec<String> = Vec::new(), List(WebOrigin);
    }
}

impl Validate for CorsConfig {
    fn validate(&self, rules: &mut Rules) {
        let has_any = self.origins.iter().any(|origin| origin == "*");
        rules.require(
            !has_any || self.origins.len() == 1,
            &["cors.origins"],
            "\"*\" to stand alone",
        );
    }
}
