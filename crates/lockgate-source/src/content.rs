//! The bytes of one source: a local file, or what was fetched, kept encrypted under a key that
//! lives in memory only.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use lockgate_core::{Digest, Failure, Hasher, Result, limits};
use lockgate_keys::{Key, fill_random, open, seal};
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};

/// Bytes that can be read from any place, any number of times.
#[derive(Clone, Debug)]
pub struct Content(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    File(File, u64),
    Spool(Spool),
}

impl Content {
    /// A local file.
    pub fn file(path: &Path) -> Result<Self> {
        // Before it is opened: opening a pipe would wait for its other end.
        let kind = std::fs::metadata(path).map_err(|e| Failure::io("open", path, &e))?;
        if !kind.is_file() {
            return Err(Failure::input(format!("{} is not a regular file", path.display())));
        }
        let file = File::open(path).map_err(|e| Failure::io("open", path, &e))?;
        let metadata = file.metadata().map_err(|e| Failure::io("read", path, &e))?;
        if !metadata.is_file() {
            return Err(Failure::input(format!("{} is not a regular file", path.display())));
        }
        Ok(Self(Arc::new(Kind::File(file, metadata.len()))))
    }

    pub(crate) fn spool(spool: Spool) -> Self {
        Self(Arc::new(Kind::Spool(spool)))
    }

    pub fn size_bytes(&self) -> u64 {
        match &*self.0 {
            Kind::File(_, size) => *size,
            Kind::Spool(spool) => spool.size,
        }
    }

    /// A reader from the first byte on.
    pub fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), at: 0 }
    }

    /// Its text, decompressed within limits, from an encoding by its WHATWG label to UTF-8.
    pub fn text(&self, encoding: Option<&str>) -> Result<impl Read + use<>> {
        crate::rows::inflate::open(self, encoding)
    }

    /// The digest of all bytes.
    pub fn digest(&self) -> Result<Digest> {
        Digest::of_reader(self.reader())
            .map(|(digest, _)| digest)
            .map_err(|e| Failure::input(format!("the source cannot be read: {e}")))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match &*self.0 {
            Kind::File(file, size) => {
                let left = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX);
                let want = buffer.len().min(left);
                file.read_at(buffer.get_mut(..want).unwrap_or_default(), at)
            }
            Kind::Spool(spool) => spool.read_at(buffer, at),
        }
    }
}

/// Reads a [`Content`] from front to back.
#[derive(Debug)]
pub struct ContentReader {
    content: Content,
    at: u64,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(offset) => (self.content.size_bytes(), offset),
            SeekFrom::Current(offset) => (self.at, offset),
        };
        self.at = base.checked_add_signed(offset).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Length for Content {
    fn len(&self) -> u64 {
        self.size_bytes()
    }
}

impl ChunkReader for Content {
    type T = ContentReader;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut reader = self.reader();
        reader.at = start;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.size_bytes() {
            return Err(ParquetError::EOF("the file ends too early".into()));
        }
        let mut out = vec![0u8; length];
        let mut reader = self.get_read(start)?;
        reader.read_exact(&mut out)?;
        Ok(out.into())
    }
}

/// Hashes what passes through, so that the rows provably come from the bytes that were checked.
pub(crate) struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// Reads to the end and returns the digest of everything.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.finish().0)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

const FRAME_BYTES: usize = 1 << 16;
/// Nonce and tag.
const FRAME_OVERHEAD_BYTES: usize = 28;

/// A temporary file of sealed frames; the file has no name and its key is in memory.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    key: Key,
    size: u64,
    pending: Vec<u8>,
}

impl Spool {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let fail = |e: &io::Error| Failure::io("create a temporary file in", folder, e);
        std::fs::create_dir_all(folder).map_err(|e| fail(&e))?;
        let mut key = [0u8; 32];
        fill_random(&mut key)?;
        Ok(Self {
            file: tempfile::tempfile_in(folder).map_err(|e| fail(&e))?,
            key: Key::new(key),
            size: 0,
            pending: Vec::with_capacity(FRAME_BYTES),
        })
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.size + bytes.len() as u64 > limits::SOURCE_BYTES_MAX {
            return Err(Failure::input("the source is larger than 1 TiB"));
        }
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (FRAME_BYTES - self.pending.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == FRAME_BYTES {
                self.flush_frame()?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Self> {
        if !self.pending.is_empty() {
            self.flush_frame()?;
        }
        Ok(self)
    }

    fn flush_frame(&mut self) -> Result<()> {
        let frame = seal(&self.key, b"lockgate/v1/spool", &self.pending)?;
        self.pending.clear();
        self.file.write_all(&frame).map_err(|e| Failure::io("write", Path::new("the temporary file"), &e))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let (frame, skip) = (at / FRAME_BYTES as u64, (at % FRAME_BYTES as u64) as usize);
        let width = FRAME_BYTES.min((self.size - frame * FRAME_BYTES as u64) as usize);
        let mut sealed = vec![0u8; width + FRAME_OVERHEAD_BYTES];
        let place = frame * (FRAME_BYTES + FRAME_OVERHEAD_BYTES) as u64;
        self.file.read_exact_at(&mut sealed, place)?;
        let plain = open(&self.key, b"lockgate/v1/spool", &sealed)
            .map_err(|_| io::Error::other("the temporary file was changed"))?;
        let rest = plain.expose().get(skip..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_gives_back_what_it_got_and_keeps_nothing_readable() {
        let folder = std::env::temp_dir();
        let mut spool = Spool::new(&folder).unwrap();
        let data: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        for part in data.chunks(7_777) {
            spool.write(part).unwrap();
        }
        let content = Content::spool(spool.finish().unwrap());
        let mut back = Vec::new();
        content.reader().read_to_end(&mut back).unwrap();
        assert_eq!(back, data);
        assert_eq!(content.get_bytes(65_530, 20).unwrap(), data[65_530..65_550]);
        let Kind::Spool(spool) = &*content.0 else { panic!() };
        let mut raw = vec![0; 4096];
        spool.file.read_exact_at(&mut raw, 1000).unwrap();
        assert!(data.windows(16).step_by(4).take(1000).all(|w| !raw.windows(16).any(|r| r == w)));
    }
}
