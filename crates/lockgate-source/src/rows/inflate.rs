//! Bounded decompression and decoding. The only place that decompresses a source.

use std::io::{self, BufRead as _, BufReader, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use flate2::read::MultiGzDecoder;
use lockgate_core::{Digest, Failure, Result, limits};

use crate::{
    Content,
    content::{ContentReader, HashingReader},
};

type Raw = BufReader<HashingReader<ContentReader>>;

/// Plain UTF-8 text of a source.
pub(crate) struct Text {
    inner: Stage,
    decoder: Option<Transcoder>,
}

#[allow(clippy::large_enum_variant, reason = "one a source; its size depends on the features of flate2")]
enum Stage {
    Plain(Raw),
    Gzip(Limited<MultiGzDecoder<Raw>>),
    Zstd(Limited<zstd::stream::read::Decoder<'static, Raw>>),
}

/// Opens the text of `content`; gzip and zstd are recognized by their first bytes.
pub(crate) fn open(content: &Content, encoding: Option<&str>) -> Result<Text> {
    let label = encoding.unwrap_or("utf-8");
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        Failure::input(format!("unknown encoding {label:?}"))
            .hint("use a WHATWG label such as utf-8, windows-1252 or utf-16le")
    })?;
    let mut raw = BufReader::with_capacity(1 << 16, HashingReader::new(content.reader()));
    let magic: Vec<u8> = raw
        .fill_buf()
        .map_err(|e| Failure::input(format!("the source cannot be read: {e}")))?
        .iter()
        .take(4)
        .copied()
        .collect();
    let compressed = content.size_bytes();
    let inner = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Stage::Gzip(Limited::new(MultiGzDecoder::new(raw), compressed)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)
                .map_err(|e| Failure::input(format!("the zstd data cannot be read: {e}")))?;
            // Windows above 128 MiB are refused: they only serve to exhaust memory.
            decoder.window_log_max(27).map_err(|e| Failure::bug(format!("zstd refused a limit: {e}")))?;
            Stage::Zstd(Limited::new(decoder, compressed))
        }
        _ => Stage::Plain(raw),
    };
    let decoder = (encoding != UTF_8).then(|| Transcoder::new(encoding));
    Ok(Text { inner, decoder })
}

impl Text {
    /// Reads what is left and returns the digest of all raw bytes.
    pub(crate) fn finish(self) -> Result<Digest> {
        let raw = match self.inner {
            Stage::Plain(raw) => raw,
            Stage::Gzip(limited) => limited.inner.into_inner(),
            Stage::Zstd(limited) => limited.inner.finish(),
        };
        raw.into_inner().finish().map_err(|e| Failure::input(format!("the source cannot be read: {e}")))
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoder {
            None => self.inner.read(buffer),
            Some(decoder) => decoder.read(&mut self.inner, buffer),
        }
    }
}

impl Read for Stage {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(limited) => limited.read(buffer),
            Self::Zstd(limited) => limited.read(buffer),
        }
    }
}

/// Stops a decompression bomb.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R> Limited<R> {
    fn new(inner: R, compressed_bytes: u64) -> Self {
        let left = compressed_bytes
            .saturating_mul(limits::DECOMPRESSION_RATIO_MAX)
            .clamp(limits::DECOMPRESSION_FLOOR_BYTES, limits::SOURCE_BYTES_MAX);
        Self { inner, left }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other("it decompresses to more than 200 times its size, like a decompression bomb")
        })?;
        Ok(read)
    }
}

/// Turns another encoding into UTF-8; what cannot be decoded is an error.
struct Transcoder {
    decoder: Decoder,
    input: Vec<u8>,
    at: usize,
    end: bool,
    finished: bool,
}

impl Transcoder {
    fn new(encoding: &'static Encoding) -> Self {
        Self { decoder: encoding.new_decoder_with_bom_removal(), input: Vec::new(), at: 0, end: false, finished: false }
    }

    fn read(&mut self, inner: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.finished {
            if self.at == self.input.len() && !self.end {
                self.input.resize(1 << 16, 0);
                let read = inner.read(&mut self.input)?;
                self.input.truncate(read);
                self.at = 0;
                self.end = read == 0;
            }
            let input = self.input.get(self.at..).unwrap_or_default();
            let (result, used, written, bad) = self.decoder.decode_to_utf8(input, buffer, self.end);
            self.at += used;
            if bad {
                return Err(io::Error::other("it holds bytes that are not valid in the declared encoding"));
            }
            self.finished = self.end && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
