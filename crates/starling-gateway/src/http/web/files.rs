//! The shipped files. Written by `cargo xtask web`.

use super::File;

pub(super) const FILES: &[File] = &[
    File {
        path: "assets/admin-page-7pTTlHIj.js",
        etag: "4b1eade015f61322",
        identity: include_bytes!("../../../web/assets/admin-page-7pTTlHIj.js"),
        gzip: include_bytes!("../../../web/assets/admin-page-7pTTlHIj.js.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-7pTTlHIj.js.br"),
    },
    File {
        path: "assets/admin-page-CW9T4kcK.css",
        etag: "23c1f87e4eb0c594",
        identity: include_bytes!("../../../web/assets/admin-page-CW9T4kcK.css"),
        gzip: include_bytes!("../../../web/assets/admin-page-CW9T4kcK.css.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-CW9T4kcK.css.br"),
    },
    File {
        path: "assets/favicon-1nOwpmdz.svg",
        etag: "b05eb4c13a3a7639",
        identity: include_bytes!("../../../web/assets/favicon-1nOwpmdz.svg"),
        gzip: include_bytes!("../../../web/assets/favicon-1nOwpmdz.svg.gz"),
        brotli: include_bytes!("../../../web/assets/favicon-1nOwpmdz.svg.br"),
    },
    File {
        path: "assets/index-CjQS4ghq.css",
        etag: "6f39d54541b1c307",
        identity: include_bytes!("../../../web/assets/index-CjQS4ghq.css"),
        gzip: include_bytes!("../../../web/assets/index-CjQS4ghq.css.gz"),
        brotli: include_bytes!("../../../web/assets/index-CjQS4ghq.css.br"),
    },
    File {
        path: "assets/index-DIWC514-.js",
        etag: "7b71bc044a1ab6c4",
        identity: include_bytes!("../../../web/assets/index-DIWC514-.js"),
        gzip: include_bytes!("../../../web/assets/index-DIWC514-.js.gz"),
        brotli: include_bytes!("../../../web/assets/index-DIWC514-.js.br"),
    },
    File {
        path: "assets/msgpack-6sFMDyuV-_2WQH9jO.js",
        etag: "cfee805687b1411e",
        identity: include_bytes!("../../../web/assets/msgpack-6sFMDyuV-_2WQH9jO.js"),
        gzip: include_bytes!("../../../web/assets/msgpack-6sFMDyuV-_2WQH9jO.js.gz"),
        brotli: include_bytes!("../../../web/assets/msgpack-6sFMDyuV-_2WQH9jO.js.br"),
    },
    File {
        path: "index.html",
        etag: "556acdba08bfeecc",
        identity: include_bytes!("../../../web/index.html"),
        gzip: include_bytes!("../../../web/index.html.gz"),
        brotli: include_bytes!("../../../web/index.html.br"),
    },
];
