//! Reading: the rows of a snapshot, as far as the keyring reaches.

use std::{fs::File, io::Write as _, path::Path, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use lockgate_core::{Digest, Failure, Name, Result, limits};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};

use crate::{
    encryption::{self, Keyring},
    manifest::{FileRecord, Manifest, Role},
    storage::{Lake, data_place},
};

/// Which part of a snapshot to read.
#[derive(Clone)]
pub struct ReadOptions {
    pub keyring: Arc<dyn Keyring>,
    /// Columns in the order they are wanted; all but the subject column when `None`.
    pub columns: Option<Vec<String>>,
    pub role: Role,
    /// Where files of a remote lake are kept, still encrypted, while they are read.
    pub spool: std::path::PathBuf,
}

/// The rows of a snapshot, file by file, bucket by bucket.
pub struct Batches {
    lake: Lake,
    dataset: Name,
    files: std::vec::IntoIter<FileRecord>,
    options: ReadOptions,
    current: Option<(ParquetRecordBatchReader, Vec<usize>)>,
}

impl Lake {
    /// Reads the rows of a snapshot. Each file's digest is checked before one row of it is read.
    pub fn read(&self, manifest: &Manifest, options: ReadOptions) -> Batches {
        let files: Vec<FileRecord> = manifest.files_with(options.role).cloned().collect();
        Batches {
            lake: self.clone(),
            dataset: manifest.dataset.clone(),
            files: files.into_iter(),
            options,
            current: None,
        }
    }

    /// Where one file lies on this machine, with its digest checked; fetched to `folder` when the
    /// lake is elsewhere.
    pub fn local_file(&self, dataset: &Name, record: &FileRecord, folder: &Path) -> Result<std::path::PathBuf> {
        let mut file = self.file(dataset, record, folder)?;
        let place = data_place(dataset, &record.digest);
        if let Some(root) = &self.storage().local {
            let path = root.join(&place);
            return path.canonicalize().map_err(|e| Failure::io("find", &path, &e));
        }
        let path = folder.join(format!("{}.parquet", record.digest.hex()));
        let mut copy = File::create(&path).map_err(|e| Failure::io("create", &path, &e))?;
        std::io::copy(&mut file, &mut copy).map_err(|e| Failure::io("write", &path, &e))?;
        Ok(path)
    }

    /// The bytes of one file, still encrypted, with their digest checked.
    pub fn file(&self, dataset: &Name, record: &FileRecord, spool: &Path) -> Result<File> {
        use std::io::Seek as _;
        let place = data_place(dataset, &record.digest);
        let changed = || {
            Failure::integrity(format!("the lake's {place} was changed"))
                .hint("restore the file from a copy; its digest is its name")
        };
        let mut file = if let Some(root) = &self.storage().local {
            let path = root.join(&place);
            File::open(&path)
                .map_err(|error| Failure::integrity(format!("the lake's {place} cannot be read: {error}")))?
        } else {
            let bytes = self.storage().get(&place, record.size_bytes)?.ok_or_else(changed)?;
            let fail = |e: &std::io::Error| Failure::io("write in", spool, e);
            std::fs::create_dir_all(spool).map_err(|e| fail(&e))?;
            let mut file = tempfile::tempfile_in(spool).map_err(|e| fail(&e))?;
            file.write_all(&bytes).map_err(|e| fail(&e))?;
            file.rewind().map_err(|e| fail(&e))?;
            file
        };
        let (digest, size) = Digest::of_reader(&file)
            .map_err(|error| Failure::integrity(format!("the lake's {place} cannot be read: {error}")))?;
        if digest != record.digest || size != record.size_bytes {
            return Err(changed());
        }
        file.rewind().map_err(|e| Failure::io("read", Path::new(&place), &e))?;
        Ok(file)
    }
}

/// Opens an encrypted file for reading the given columns; the reader and the position of each
/// wanted column in its batches.
pub fn open_file(
    file: File,
    keyring: Arc<dyn Keyring>,
    columns: Option<&[String]>,
) -> Result<(ParquetRecordBatchReader, Vec<usize>)> {
    let options = ArrowReaderOptions::new()
        .with_file_decryption_properties(encryption::decrypt(keyring)?)
        .with_skip_arrow_metadata(false);
    let failed = |error: parquet::errors::ParquetError| {
        let text = format!("a snapshot file cannot be decrypted: {error}");
        if ["not granted", "not released", "was destroyed"].iter().any(|why| text.contains(why)) {
            Failure::denied(text).hint("the key of one of its columns was withheld, or it was destroyed")
        } else {
            Failure::integrity(text).hint("restore the keys folder and the lake from the same backup")
        }
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(failed)?;
    let schema: SchemaRef = builder.schema().clone();
    let mut wanted = Vec::new();
    match columns {
        None => wanted.extend((0..schema.fields().len()).filter(|i| schema.field(*i).name() != crate::SUBJECT_COLUMN)),
        Some(columns) => {
            for name in columns {
                let index = schema
                    .index_of(name)
                    .map_err(|_| Failure::input(format!("the snapshot has no column {name:?}")))?;
                wanted.push(index);
            }
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    let order = wanted.iter().filter_map(|index| sorted.iter().position(|s| s == index)).collect();
    let reader = builder.with_projection(mask).with_batch_size(limits::BATCH_ROWS).build().map_err(failed)?;
    Ok((reader, order))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((reader, order)) = &mut self.current {
                match reader.next() {
                    Some(batch) => {
                        return Some(batch.and_then(|batch| batch.project(order)).map_err(|_| {
                            Failure::denied("a column of the snapshot cannot be decrypted")
                                .hint("its key was not granted, or it was destroyed")
                        }));
                    }
                    None => self.current = None,
                }
            }
            let record = self.files.next()?;
            let opened = self
                .lake
                .file(&self.dataset, &record, &self.options.spool)
                .and_then(|file| open_file(file, Arc::clone(&self.options.keyring), self.options.columns.as_deref()));
            match opened {
                Ok(opened) => self.current = Some(opened),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
