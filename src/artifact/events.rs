//! TensorBoard's event files: what training logs, for those who watch it there.
//!
//! A file is a sequence of TFRecords (length, its checksum, bytes, their checksum), each an `Event` of TensorFlow's `event.proto` in protobuf's wire
//! format. Only what scalars need is written: wall time (field 1), step (2), the file's version (3), a summary (5) of values with tag (1) and number (2).

use super::write::failed;
use crate::error::Result;
use crc::{CRC_32_ISCSI, Crc};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// An event file that grows by an event a step.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Begins a file anew. `wall_time` is in seconds since 1970.
    ///
    /// # Errors
    /// Exit code 1 when the file cannot be written.
    pub fn create(path: &Path, wall_time: f64) -> Result<Self> {
        let file = File::create(path).map_err(|e| failed("write", path, &e))?;
        let mut events = Self { path: path.to_owned(), file };
        let mut event = Message::default();
        event.double(1, wall_time);
        event.bytes(3, b"brain.Event:2");
        events.write(&event.0)?;
        Ok(events)
    }

    /// Appends what was seen at a step: numbers by tag. One write, so that a reader that follows the file sees whole events or none.
    ///
    /// # Errors
    /// Exit code 1 when the file cannot be written.
    pub fn append(&mut self, wall_time: f64, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let mut summary = Message::default();
        for (tag, number) in values {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes());
            value.float(2, *number as f32);
            summary.bytes(1, &value.0);
        }
        let mut event = Message::default();
        event.double(1, wall_time);
        event.number(2, step);
        event.bytes(5, &summary.0);
        self.write(&event.0)
    }

    fn write(&mut self, event: &[u8]) -> Result<()> {
        self.file.write_all(&record(event)).map_err(|e| failed("write", &self.path, &e))
    }
}

/// A TFRecord.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// The checksum as TFRecords hold it: CRC-32C, turned by 15 bits and moved by a constant.
fn masked(data: &[u8]) -> u32 {
    CRC.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A protobuf message in the making.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `tests/parity/events/make.py` with tensorboard's own writer.
    const THEIRS: &[u8] = include_bytes!("../../tests/parity/events/events.out.tfevents.tensorboard");

    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let mut events = Events::create(&path, 1_700_000_000.25).unwrap();
        events.append(1_700_000_001.5, 1, &[("loss", 0.5), ("reward/accuracy", -1e-3)]).unwrap();
        events.append(1_700_000_002.5, 300, &[("kl", f64::NAN), ("grad_norm", f64::INFINITY)]).unwrap();
        events.append(1_700_000_003.0, 70_000, &[("a long tag ".repeat(20).as_str(), 1e30)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), THEIRS);
    }
}
