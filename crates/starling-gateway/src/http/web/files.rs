//! The shipped files. Written by `cargo xtask web`.

use super::File;

pub(super) const FILES: &[File] = &[
    File {
        path: "assets/admin-page-BZuIOKPH.css",
        etag: "e2317c71c4e3b457",
        identity: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css"),
        gzip: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-BZuIOKPH.css.br"),
    },
    File {
        path: "assets/admin-page-D9A_q9Wh.js",
        etag: "e0774634700e9663",
        identity: include_bytes!("../../../web/assets/admin-page-D9A_q9Wh.js"),
        gzip: include_bytes!("../../../web/assets/admin-page-D9A_q9Wh.js.gz"),
        brotli: include_bytes!("../../../web/assets/admin-page-D9A_q9Wh.js.br"),
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
        path: "assets/index-q8lCpp6F.js",
        etag: "5f3ab05323175877",
        identity: include_bytes!("../../../web/assets/index-q8lCpp6F.js"),
        gzip: include_bytes!("../../../web/assets/index-q8lCpp6F.js.gz"),
        brotli: include_bytes!("../../../web/assets/index-q8lCpp6F.js.br"),
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
        etag: "5d36c6ba38cb999a",
        identity: include_bytes!("../../../web/index.html"),
        gzip: include_bytes!("../../../web/index.html.gz"),
        brotli: include_bytes!("../../../web/index.html.br"),
    },
];
