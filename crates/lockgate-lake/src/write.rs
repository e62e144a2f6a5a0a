//! Writing: rows go to the bucket of their subject, each bucket to an encrypted file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt32Array},
    compute::take,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use lockgate_core::{Classification, Digest, Failure, Hasher, Name, Result};
use lockgate_keys::{KeyId, KeyStore};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};

use crate::{
    encryption::{self, StoreKeyring},
    manifest::{FileRecord, Role, Subjects},
    storage::{Lake, data_place},
    subjects::SubjectSet,
};

/// Holds the keyed commitment to each row's subject; 16 bytes, null for a row about nobody.
pub const SUBJECT_COLUMN: &str = "_subject";

/// Encoded bytes that all open buckets together may hold before the largest is flushed.
const IN_PROGRESS_BYTES_MAX: usize = 64 << 20;

/// How a snapshot is laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    pub dataset: Name,
    /// The columns in order, with their classification.
    pub columns: Vec<(String, Classification)>,
    pub schema: SchemaRef,
    pub buckets: u16,
    /// The generation of the buckets' keys; it grows with each snapshot.
    pub generation: u64,
}

/// Files that are in the lake but belong to no snapshot yet.
#[derive(Debug)]
pub struct Staged {
    pub files: Vec<FileRecord>,
    pub rows: u64,
    pub subjects: Subjects,
}

/// Writes the files of one snapshot.
pub struct SnapshotWriter {
    lake: Lake,
    store: Arc<dyn KeyStore>,
    layout: Layout,
    schema: SchemaRef,
    spool: PathBuf,
    open: BTreeMap<u16, Bucket>,
    subjects: SubjectSet,
    rows: u64,
}

struct Bucket {
    writer: ArrowWriter<HashingFile>,
    key: KeyId,
    rows: u64,
}

impl SnapshotWriter {
    /// Ciphertext is spooled in `spool` on its way to the lake.
    pub fn new(lake: &Lake, store: Arc<dyn KeyStore>, layout: Layout, spool: &Path) -> Result<Self> {
        store.create(&dataset_key(&layout.dataset))?;
        let mut fields: Vec<Arc<Field>> = layout.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(SUBJECT_COLUMN, DataType::FixedSizeBinary(16), true)));
        Ok(Self {
            lake: lake.clone(),
            store,
            schema: Arc::new(Schema::new(fields)),
            layout,
            spool: spool.to_owned(),
            open: BTreeMap::new(),
            subjects: SubjectSet::new(spool.to_owned()),
            rows: 0,
        })
    }

    /// Writes rows; `subjects` holds the commitment to each row's subject.
    pub fn write(&mut self, batch: &RecordBatch, subjects: &[Option<[u8; 16]>]) -> Result<()> {
        if subjects.len() != batch.num_rows() {
            return Err(Failure::bug("not every row has a subject entry"));
        }
        let buckets: Vec<u16> = subjects.iter().map(|s| bucket(s.as_ref(), self.layout.buckets)).collect();
        let mut order: Vec<u32> = (0u32..).take(batch.num_rows()).collect();
        // Stable, so that rows keep their order within a bucket.
        order.sort_by_key(|row| buckets.get(*row as usize));
        let commitments = FixedSizeBinaryArray::try_from_sparse_iter_with_size(subjects.iter().copied(), 16)
            .map_err(|_| Failure::bug("commitments do not form a column"))?;
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(commitments));
        let order = UInt32Array::from(order);
        let sorted = columns
            .iter()
            .map(|column| take(column, &order, None))
            .collect::<Result<_, _>>()
            .map_err(|_| Failure::bug("rows could not be sent to their buckets"))?;
        let sorted = RecordBatch::try_new(self.schema.clone(), sorted)
            .map_err(|_| Failure::bug("a bucket's rows do not form a batch"))?;
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for bucket in buckets {
            *counts.entry(bucket).or_default() += 1;
        }
        let mut first = 0;
        for (bucket, count) in counts {
            let open = self.bucket(bucket)?;
            open.rows += count as u64;
            open.writer.write(&sorted.slice(first, count)).map_err(write_failed)?;
            first += count;
        }
        self.subjects.extend(subjects.iter().flatten().copied())?;
        self.rows += batch.num_rows() as u64;
        self.bound_memory()
    }

    /// Closes every bucket and moves its file into the lake.
    pub fn finish(mut self) -> Result<Staged> {
        let mut files = Vec::new();
        for (number, bucket) in std::mem::take(&mut self.open) {
            let file = bucket.writer.into_inner().map_err(write_failed)?;
            files.push(file.into_lake(
                &self.lake,
                &self.layout.dataset,
                bucket.rows,
                Role::Data,
                number,
                &bucket.key,
            )?);
        }
        Ok(Staged { files, rows: self.rows, subjects: self.subjects.finish(self.layout.buckets)? })
    }

    fn bucket(&mut self, number: u16) -> Result<&mut Bucket> {
        if !self.open.contains_key(&number) {
            let key = dataset_key(&self.layout.dataset).child(format!("b{number:03}.g{}", self.layout.generation));
            self.store.create(&key)?;
            let mut columns = self.layout.columns.clone();
            columns.push((SUBJECT_COLUMN.to_owned(), Classification::Restricted));
            let file = HashingFile::create(&self.spool)?;
            let writer =
                ArrowWriter::try_new(file, self.schema.clone(), Some(properties(&self.store, &key, &columns)?))
                    .map_err(write_failed)?;
            self.open.insert(number, Bucket { writer, key, rows: 0 });
        }
        self.open.get_mut(&number).ok_or_else(|| Failure::bug("a bucket vanished"))
    }

    fn bound_memory(&mut self) -> Result<()> {
        let total: usize = self.open.values().map(|b| b.writer.memory_size()).sum();
        if total > IN_PROGRESS_BYTES_MAX
            && let Some(largest) = self.open.values_mut().max_by_key(|b| b.writer.memory_size())
        {
            largest.writer.flush().map_err(write_failed)?;
        }
        Ok(())
    }
}

/// Writes a table that is about nobody, such as a ledger.
pub struct TableWriter {
    lake: Lake,
    dataset: Name,
    key: KeyId,
    writer: ArrowWriter<HashingFile>,
    rows: u64,
}

impl TableWriter {
    /// The file is encrypted under the key `key_name` of the dataset.
    pub fn new(
        lake: &Lake,
        store: &Arc<dyn KeyStore>,
        dataset: &Name,
        key_name: &str,
        schema: SchemaRef,
        spool: &Path,
    ) -> Result<Self> {
        let key = dataset_key(dataset).child(key_name);
        store.create(&dataset_key(dataset))?;
        store.create(&key)?;
        let columns: Vec<_> =
            schema.fields().iter().map(|field| (field.name().clone(), Classification::Internal)).collect();
        let properties = properties(store, &key, &columns)?;
        let writer =
            ArrowWriter::try_new(HashingFile::create(spool)?, schema, Some(properties)).map_err(write_failed)?;
        Ok(Self { lake: lake.clone(), dataset: dataset.clone(), key, writer, rows: 0 })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(write_failed)?;
        if self.writer.memory_size() > IN_PROGRESS_BYTES_MAX / 4 {
            self.writer.flush().map_err(write_failed)?;
        }
        Ok(())
    }

    /// Moves the file into the lake.
    pub fn finish(self) -> Result<FileRecord> {
        let file = self.writer.into_inner().map_err(write_failed)?;
        file.into_lake(&self.lake, &self.dataset, self.rows, Role::Ledger, 0, &self.key)
    }
}

/// The purpose key above all keys of a dataset.
pub(crate) fn dataset_key(dataset: &Name) -> KeyId {
    KeyId::purpose(format!("lake.{dataset}"))
}

fn bucket(subject: Option<&[u8; 16]>, buckets: u16) -> u16 {
    // The commitment is a keyed hash, so its first bytes are uniform.
    let [a, b, c, d, ..] = *subject.unwrap_or(&[0; 16]);
    (u32::from_be_bytes([a, b, c, d]) % u32::from(buckets.max(1))) as u16
}

fn properties(
    store: &Arc<dyn KeyStore>,
    key: &KeyId,
    columns: &[(String, Classification)],
) -> Result<WriterProperties> {
    let keyring = StoreKeyring::all(Arc::clone(store));
    let level = ZstdLevel::try_new(1).map_err(|_| Failure::bug("zstd has no level 1"))?;
    // Bloom filters stay off: Parquet writes them in the clear even for encrypted columns.
    // Small dictionaries and pages bound the memory of many open buckets.
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_bloom_filter_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_page_size_limit(64 << 10)
        .set_data_page_size_limit(128 << 10)
        .set_max_row_group_row_count(Some(256 << 10))
        .set_created_by("lockgate".into())
        .with_file_encryption_properties(encryption::encrypt(&keyring, key, columns)?);
    let subject = ColumnPath::from(SUBJECT_COLUMN);
    builder = builder
        .set_column_dictionary_enabled(subject.clone(), false)
        .set_column_encoding(subject.clone(), Encoding::PLAIN)
        .set_column_compression(subject, Compression::UNCOMPRESSED);
    Ok(builder.build())
}

fn write_failed(error: parquet::errors::ParquetError) -> Failure {
    if let parquet::errors::ParquetError::External(cause) = &error
        && let Some(io) = cause.downcast_ref::<io::Error>()
    {
        return Failure::io("write", Path::new("the lake's temporary file"), io);
    }
    Failure::unreachable(format!("a snapshot file could not be written: {error}"))
        .hint("is the disk full? Nothing was committed; run again")
}

/// A temporary file that knows the digest of what was written.
struct HashingFile {
    file: tempfile::NamedTempFile,
    hasher: Hasher,
}

impl HashingFile {
    fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
        let file = tempfile::Builder::new()
            .prefix("part-")
            .tempfile_in(folder)
            .map_err(|e| Failure::io("write in", folder, &e))?;
        Ok(Self { file, hasher: Hasher::default() })
    }

    fn into_lake(
        self,
        lake: &Lake,
        dataset: &Name,
        rows: u64,
        role: Role,
        bucket: u16,
        key: &KeyId,
    ) -> Result<FileRecord> {
        let (digest, size_bytes): (Digest, u64) = self.hasher.finish();
        let (file, path): (File, tempfile::TempPath) = self.file.into_parts();
        file.sync_all().map_err(|e| Failure::io("write", &path, &e))?;
        lake.storage().upload(&data_place(dataset, &digest), &path)?;
        Ok(FileRecord { digest, size_bytes, rows, role, bucket, key: key.to_string() })
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
