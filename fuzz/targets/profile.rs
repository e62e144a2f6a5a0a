//! Any bytes as the body of a profile, with a digest that is right; what is read is compared with
//! itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_core::Digest;
use lockgate_quality::{drift::from_profiles, profile::Profile};

fuzz_target!(|body: &[u8]| {
    let mut bytes = b"LGPROF\0\x01".to_vec();
    bytes.extend_from_slice(body);
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    if let Ok(profile) = Profile::decode(&bytes, "fuzzed") {
        for column in &profile.columns {
            let _ = from_profiles(&column.name, (column, profile.rows), (column, profile.rows));
        }
    }
});
