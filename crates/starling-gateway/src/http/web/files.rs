//! The shipped files. Written by `cargo xtask web`.

use super::File;

pub(super) const FILES: &[File] = &[
    File {
        path: "assets/admin-page-BXlVLhIu.js",
        etag: "3a55bc6a69c1ddc6",
        identity: include_bytes!("../../../web/assets/admin-page-BXlVLhIu.js"),
        gzip: include_bytes!("../../../web/assets/admin-page-BXlVLhIu.js.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-BXlVLhIu.js.br"),
    },
    File {
        path: "assets/admin-page-BZuIOKPH.css",
        etag: "e2317c71c4e3b457",
        identity: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css"),
        gzip: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css.br"),
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
        path: "assets/index-isI6BzTq.js",
        etag: "a1440089cd8a973c",
        identity: include_bytes!("../../../web/assets/index-isI6BzTq.js"),
        gzip: include_bytes!("../../../web/assets/index-isI6BzTq.js.gz"),
        brotli: include_bytes!("../../../web/assets/index-isI6BzTq.js.br"),
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
        etag: "3a7013dc3a1d0a2f",
        identity: include_bytes!("../../../web/index.html"),
        gzip: include_bytes!("../../../web/index.html.gz"),
        brotli: include_bytes!("../../../web/index.html.br"),
    },
];
