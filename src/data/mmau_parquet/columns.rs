//! The columns of the Parquet file, checked against the layout before a row is read, then read value by value.
//!
//! parquet's own row reader is documented to read repeated fields wrongly (arrow-rs issue 2394), so `choices` is put together here from its levels:
//! a definition level says how much of a value is there, a repetition level above 0 that the row goes on.

use crate::data::Problems;
use crate::error::{Context, Error, Result};
use parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// The column of clips.
pub(super) const CLIPS: &str = "context.bytes";

/// The columns that are read. A list is named by its outer name: what its inner ones are called is the writer's affair.
const LAYOUT: [(&str, Holds); 5] = [
    (CLIPS, Holds::Bytes),
    ("instruction", Holds::Text),
    ("choices", Holds::Texts),
    ("answer", Holds::Text),
    ("other_attributes", Holds::Text),
];

/// Takes the definition levels and the values of a row.
pub(super) type TakeRow<'t> = dyn FnMut(&[i16], &[ByteArray]) -> Result<()> + 't;

/// What a column holds in each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Texts,
    Bytes,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Holds::Text => "a text",
            Holds::Texts => "a list of texts",
            Holds::Bytes => "bytes",
        })
    }
}

/// A file with these columns.
pub(super) struct Columns {
    /// Names the file in messages.
    pub name: String,
    file: SerializedFileReader<File>,
}

impl Columns {
    /// Opens a file and checks its columns.
    ///
    /// # Errors
    /// Exit code 4: cannot be read, or is cut; 2: no Parquet file, or other columns (every problem by column).
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let mut file = File::open(path).inputs(|| format!("cannot open {name}"))?;
        let mut start = [0; 4];
        let read = file.read_exact(&mut start).and_then(|()| file.rewind());
        if read.is_err() || start != *b"PAR1" {
            let way_out = "MMAU's JSON is `format: mmau`";
            return Err(Error::request(format!("{name}: expected a Parquet file, found another one ({way_out})")));
        }
        let file = SerializedFileReader::new(file).map_err(|e| damaged(&name, &e))?;
        let columns = Self { name, file };
        columns.check()?;
        columns.check_places()?;
        Ok(columns)
    }

    /// The library takes for granted what a damaged description may lack: that places and lengths are not negative.
    fn check_places(&self) -> Result<()> {
        for column in self.file.metadata().row_groups().iter().flat_map(|group| group.columns()) {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            if start < 0 || column.compressed_size() < 0 {
                let what = format!("{}: column {}", self.name, column.column_path().string());
                let found = "expected it behind the file's begin, found a negative place or length";
                return Err(Error::inputs(format!("{what}: {found} ({DAMAGED})")));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let mut problems = Problems::of(&self.name);
        for (column, holds) in LAYOUT {
            let found = match self.leaves(column).as_slice() {
                [(place, leaf)] if held(leaf) == Some(holds) => match self.packed(*place) {
                    None => continue,
                    Some(codec) => {
                        let expected = "expected plain, snappy or gzip values";
                        let way_out = "write the file anew with one of them";
                        problems.add(format!("column {column}"), format!("{expected}, found {codec} ({way_out})"));
                        continue;
                    }
                },
                [(_, leaf)] => held(leaf).map_or_else(|| spelt(leaf), |held| held.to_string()),
                [] => format!("no such column among {}", self.tops().collect::<Vec<_>>().join(", ")),
                several => format!("a struct of {}", several.len()),
            };
            let way_out = "the layout of gamma-lab-umd/MMAU-test-mini is wanted";
            problems.add(format!("column {column}"), format!("expected {holds}, found {found} ({way_out})"));
        }
        problems.or(())
    }

    /// What is said of columns that the layout does not have, if there are any: they are not read.
    pub fn others(&self) -> Option<String> {
        let known = |name: &str| LAYOUT.iter().any(|(column, _)| column.split('.').next() == Some(name));
        let others: Vec<&str> = self.tops().filter(|name| !known(name)).collect();
        (!others.is_empty()).then(|| format!("{} of its columns not read: {}", others.len(), others.join(", ")))
    }

    /// The texts of a column; `None` is null.
    ///
    /// # Errors
    /// Exit code 4: damaged.
    pub fn texts(&self, column: &str) -> Result<Vec<Option<String>>> {
        let mut out = Vec::new();
        self.each(column, &mut |_, values| {
            out.push(values.first().map(|text| self.utf8(column, text)).transpose()?);
            Ok(())
        })?;
        Ok(out)
    }

    /// The lists of a column, null as an empty one; `None` among the texts is null.
    ///
    /// # Errors
    /// Exit code 4: damaged.
    pub fn lists(&self, column: &str) -> Result<Vec<Vec<Option<String>>>> {
        let (_, leaf) = self.leaf(column)?;
        let (whole, may_be_null) = (leaf.max_def_level(), leaf.self_type().is_optional());
        let mut out = Vec::new();
        self.each(column, &mut |levels, values| {
            let mut values = values.iter();
            let mut list = Vec::new();
            for level in levels {
                match whole - level {
                    0 => list.push(values.next().map(|text| self.utf8(column, text)).transpose()?),
                    1 if may_be_null => list.push(None),
                    // The list is empty or null: one level stands for it, and no value.
                    _ => {}
                }
            }
            out.push(list);
            Ok(())
        })?;
        Ok(out)
    }

    /// Gives the definition levels and the values of each row of a column.
    ///
    /// # Errors
    /// Exit code 4: damaged, or not as many as the file has rows; what `row` says.
    pub fn each(&self, column: &str, row: &mut TakeRow<'_>) -> Result<()> {
        let (place, _) = self.leaf(column)?;
        let broken = |e: &ParquetError| damaged(&format!("{}: column {column}", self.name), e);
        for group in 0..self.file.num_row_groups() {
            let group = self.file.get_row_group(group).map_err(|e| broken(&e))?;
            let reader = group.get_column_reader(place).map_err(|e| broken(&e))?;
            let ColumnReader::ByteArrayColumnReader(mut reader) = reader else {
                return Err(Error::internal(format!("{}: column {column} was checked to hold bytes", self.name)));
            };
            let (mut levels, mut again, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..group.metadata().num_rows() {
                // Cleared one by one: a clip that stays would keep its page.
                levels.clear();
                again.clear();
                values.clear();
                let read = reader.read_records(1, Some(&mut levels), Some(&mut again), &mut values);
                if read.map_err(|e| broken(&e))?.0 == 0 {
                    let (expected, way_out) = ("expected as many rows as the file names, found fewer", DAMAGED);
                    return Err(Error::inputs(format!("{}: column {column}: {expected} ({way_out})", self.name)));
                }
                row(&levels, &values)?;
            }
        }
        Ok(())
    }

    /// Bytes of a column, unpacked, as the file's description has them.
    ///
    /// # Errors
    /// Exit code 1: no such column, which [`Columns::open`] would have said.
    pub fn bytes(&self, column: &str) -> Result<u64> {
        let (place, _) = self.leaf(column)?;
        let groups = self.file.metadata().row_groups();
        Ok(groups.iter().map(|group| group.column(place).uncompressed_size().unsigned_abs()).sum())
    }

    /// How a column is compressed, where that is something that this program was built without.
    fn packed(&self, place: usize) -> Option<Compression> {
        let groups = self.file.metadata().row_groups().iter();
        groups.map(|group| group.column(place).compression()).find(|codec| {
            use Compression::{GZIP, SNAPPY, UNCOMPRESSED};
            !matches!(codec, UNCOMPRESSED | SNAPPY | GZIP(_))
        })
    }

    fn schema(&self) -> &SchemaDescriptor {
        self.file.metadata().file_metadata().schema_descr()
    }

    /// Names of the columns, structs and lists as one.
    fn tops(&self) -> impl Iterator<Item = &str> {
        self.schema().root_schema().get_fields().iter().map(|field| field.name())
    }

    /// The columns of values below a name.
    fn leaves(&self, column: &str) -> Vec<(usize, &ColumnDescriptor)> {
        let below = |leaf: &ColumnDescriptor| {
            let path = leaf.path().string();
            path.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let leaves = self.schema().columns().iter().enumerate();
        leaves.map(|(place, leaf)| (place, leaf.as_ref())).filter(|(_, leaf)| below(leaf)).collect()
    }

    fn leaf(&self, column: &str) -> Result<(usize, &ColumnDescriptor)> {
        let found = self.leaves(column).into_iter().next();
        found.ok_or_else(|| Error::internal(format!("{}: column {column} was checked to be there", self.name)))
    }

    fn utf8(&self, column: &str, value: &ByteArray) -> Result<String> {
        let text = String::from_utf8(value.data().to_vec());
        text.inputs(|| format!("{}: column {column}: expected UTF-8 ({DAMAGED})", self.name))
    }
}

const DAMAGED: &str = "the file is cut or damaged: get it again";

/// A file that calls itself Parquet and cannot be read as that.
fn damaged(what: &str, error: &ParquetError) -> Error {
    Error::inputs(format!("{what}: cannot read it: {error} ({DAMAGED})"))
}

/// What a column of values holds, where it is something that the layout has.
fn held(leaf: &ColumnDescriptor) -> Option<Holds> {
    if leaf.physical_type() != Physical::BYTE_ARRAY {
        return None;
    }
    let text =
        matches!(leaf.logical_type_ref(), Some(LogicalType::String)) || leaf.converted_type() == ConvertedType::UTF8;
    let bytes = leaf.logical_type_ref().is_none() && leaf.converted_type() == ConvertedType::NONE;
    match leaf.max_rep_level() {
        0 if text => Some(Holds::Text),
        1 if text => Some(Holds::Texts),
        0 if bytes => Some(Holds::Bytes),
        _ => None,
    }
}

/// A column's type in Parquet's words.
fn spelt(leaf: &ColumnDescriptor) -> String {
    let nested = if leaf.max_rep_level() > 0 { "a list of " } else { "" };
    match leaf.converted_type() {
        ConvertedType::NONE => format!("{nested}{}", leaf.physical_type()),
        other => format!("{nested}{} ({other})", leaf.physical_type()),
    }
}
