//! The columns of one Arrow file, checked before a row is read, then read batch by batch.

use crate::data::Problems;
use crate::error::{Context, Error, Result, caught};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Schema};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The columns of texts, and that of clips with the field of their bytes.
const TEXTS: [&str; 3] = ["file_name", "question", "answer"];
const CLIPS: (&str, &str) = ("audio", "bytes");

/// What ends a stream: the mark of a message, and its length of 0.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

const DAMAGED: &str = "the file is cut or damaged: get it again";

/// A row, as far as it is read; `None` is null.
pub(super) struct Cells<'a> {
    pub file_name: Option<&'a str>,
    pub question: Option<&'a str>,
    pub answer: Option<&'a str>,
    pub clip: Option<&'a [u8]>,
}

/// Gives every row of a file, one batch at a time in memory. `datasets` writes Arrow's stream; Arrow's own file is read as well.
///
/// Returns the names of the columns that are not read.
///
/// # Errors
/// Exit code 4: cannot be read, or is cut or damaged; 2: other columns (every problem by column); what `row` says.
pub(super) fn each(path: &Path, row: &mut dyn FnMut(&Cells<'_>) -> Result<()>) -> Result<Vec<String>> {
    let name = path.display().to_string();
    let mut file = File::open(path).inputs(|| format!("cannot open {name}"))?;
    let mut start = Vec::new();
    let mut end = Vec::new();
    let read = Read::by_ref(&mut file).take(6).read_to_end(&mut start).and_then(|_| {
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(END.len() as u64)))?;
        file.read_to_end(&mut end)?;
        file.rewind()
    });
    read.inputs(|| format!("cannot read {name}"))?;
    let file = BufReader::new(file);
    if start == *b"ARROW1" {
        let reader = sound(&name, || FileReader::try_new(file, None))?;
        batches(&name, &reader.schema(), reader, row)
    } else {
        // The library takes the end of the file for that of the stream.
        if end != END {
            return Err(Error::inputs(format!(
                "{name}: expected an Arrow file, found no end of its stream ({DAMAGED})"
            )));
        }
        let reader = sound(&name, || StreamReader::try_new(file, None))?;
        batches(&name, &reader.schema(), reader, row)
    }
}

/// What the library reads. It panics at some damaged files (at a buffer that begins behind the end, for example).
fn sound<T>(name: &str, read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T> {
    let read = caught(read).unwrap_or_else(|panic| Err(ArrowError::IpcError(panic)));
    read.map_err(|e| Error::inputs(format!("{name}: expected an Arrow file, cannot read it: {e} ({DAMAGED})")))
}

fn batches(
    name: &str,
    schema: &Schema,
    mut reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    row: &mut dyn FnMut(&Cells<'_>) -> Result<()>,
) -> Result<Vec<String>> {
    check(name, schema)?;
    while let Some(batch) = sound(name, || reader.next().transpose())? {
        let checked = |column: &str| Error::internal(format!("{name}: column {column} was checked to be there"));
        let column = |column: &'static str| batch.column_by_name(column).ok_or_else(|| checked(column));
        let [file_names, questions, answers] = TEXTS.map(column);
        let (file_names, questions, answers) = (file_names?, questions?, answers?);
        let audio = column(CLIPS.0)?.as_struct();
        let clips = audio.column_by_name(CLIPS.1).ok_or_else(|| checked(CLIPS.0))?;
        for i in 0..batch.num_rows() {
            row(&Cells {
                file_name: text(file_names, i),
                question: text(questions, i),
                answer: text(answers, i),
                clip: if audio.is_null(i) { None } else { bytes(clips, i) },
            })?;
        }
    }
    let read = |field: &str| TEXTS.contains(&field) || field == CLIPS.0;
    Ok(schema.fields().iter().map(|f| f.name().clone()).filter(|field| !read(field)).collect())
}

fn check(name: &str, schema: &Schema) -> Result<()> {
    let mut problems = Problems::of(name);
    let all = || schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ");
    let way_out = "the layout of gijs/avqa-processed is wanted";
    let mut lacks = |column: &str, expected: &str| {
        let found = schema.field_with_name(column).map(|field| field.data_type().to_string());
        let found = found.unwrap_or_else(|_| format!("no such column among {}", all()));
        problems.add(format!("column {column}"), format!("expected {expected}, found {found} ({way_out})"));
    };
    for column in TEXTS {
        match schema.field_with_name(column).map(|field| field.data_type()) {
            Ok(DataType::Utf8 | DataType::LargeUtf8) => {}
            _ => lacks(column, "a text"),
        }
    }
    let bytes = match schema.field_with_name(CLIPS.0).map(|field| field.data_type()) {
        Ok(DataType::Struct(fields)) => fields.iter().find(|f| f.name() == CLIPS.1).map(|f| f.data_type()),
        _ => None,
    };
    if !matches!(bytes, Some(DataType::Binary | DataType::LargeBinary)) {
        lacks(CLIPS.0, "a struct with the clip's bytes");
    }
    problems.or(())
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    match column.data_type() {
        _ if column.is_null(row) => None,
        DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row)),
        _ => Some(column.as_string::<i32>().value(row)),
    }
}

fn bytes(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    match column.data_type() {
        _ if column.is_null(row) => None,
        DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
        _ => Some(column.as_binary::<i32>().value(row)),
    }
}
