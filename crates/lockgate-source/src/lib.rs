//! Opens and authenticates sources: files, globs, https and S3; bounded decompression and decoding.
