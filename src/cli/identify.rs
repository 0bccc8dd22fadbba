//! `identify`: which of MMAU's question files a file is.

use super::{Format, pretty, print};
use crate::data::identify::{Knowledge, identify};
use crate::error::{Context, Result};
use std::path::Path;

pub(super) fn run(file: &Path, expect: Option<&str>, format: Format) -> Result<()> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {name}"))?;
    let known = Knowledge::shipped()?;
    let identity = identify(&bytes, &name, &known)?;
    match format {
        Format::Text => print(&identity.to_text())?,
        Format::Json => print(&pretty(&identity)?)?,
    }
    expect.map_or(Ok(()), |prefix| identity.expect(prefix, &known))
}
