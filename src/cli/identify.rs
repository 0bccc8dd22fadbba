//! `identify`: which of MMAU's question files a file is.

use super::{Format, pretty, print};
use crate::data::identify::{Knowledge, identify, identify_parquet};
use crate::error::{Context, Result};
use std::io::Read;
use std::path::Path;

/// What a Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

pub(super) fn run(file: &Path, expect: Option<&str>, format: Format) -> Result<()> {
    let name = file.display().to_string();
    let known = Knowledge::shipped()?;
    let cannot = || format!("cannot read {name}");
    let mut start = Vec::new();
    std::fs::File::open(file).inputs(cannot)?.take(PARQUET.len() as u64).read_to_end(&mut start).inputs(cannot)?;
    let identity = match start == PARQUET {
        // A gigabyte of clips, which are not read.
        true => identify_parquet(file, &known)?,
        false => identify(&std::fs::read(file).inputs(cannot)?, &name, &known)?,
    };
    match format {
        Format::Text => print(&identity.to_text())?,
        Format::Json => print(&pretty(&identity)?)?,
    }
    expect.map_or(Ok(()), |prefix| identity.expect(prefix, &known))
}
