//! The limits that keep every input bounded. Each is a constant with its unit last.

/// A configuration, contract, policy or SQL file.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// One record of a CSV or JSON Lines source.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Columns of a dataset.
pub const COLUMNS_MAX: usize = 2_000;
/// A decompressed source may be at most this many times its compressed size...
pub const DECOMPRESSION_RATIO_MAX: u64 = 200;
/// ...once it is larger than this.
pub const DECOMPRESSION_FLOOR_BYTES: u64 = 64 << 20;
/// A source, after decompression.
pub const SOURCE_BYTES_MAX: u64 = 1 << 40;
/// Files that one glob or directory may name.
pub const SOURCE_FILES_MAX: usize = 10_000;
/// A manifest, head or other signed document.
pub const DOCUMENT_BYTES_MAX: u64 = 64 << 20;
/// One leaf of the audit log; C2SP tlog-tiles limits an entry to 65,535 bytes.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// A model artifact.
pub const MODEL_BYTES_MAX: u64 = 512 << 20;
/// Rows of one batch on its way through the gates.
pub const BATCH_ROWS: usize = 8_192;
/// A batch ends early once its records hold this much.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
