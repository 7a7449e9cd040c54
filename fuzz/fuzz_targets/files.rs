//! All configuration files have the same arbitrary bytes: no panic, and a configuration exactly where there is no
//! error.

#![no_main]

use std::fs;

use hbd::config::{Files, Host, Severity, load};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ROOT: Option<tempfile::TempDir> = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).ok();
}

fuzz_target!(|bytes: &[u8]| {
    ROOT.with(|root| {
        let Some(root) = root else { return };
        let files = Files::below(root.path());
        for path in [&files.ha_cf, &files.authkeys, &files.haresources, &files.hbd_toml] {
            let Some(directory) = path.parent() else { return };
            if fs::create_dir_all(directory).and_then(|()| fs::write(path, bytes)).is_err() {
                return;
            }
        }
        let loaded = load(&files, &Host::named("nodea"));
        let wrong = loaded.diagnostics.iter().any(|found| found.severity == Severity::Error);
        assert_eq!(loaded.config.is_none(), wrong);
        for found in &loaded.diagnostics {
            assert!(!found.render(true).is_empty());
        }
    });
});
