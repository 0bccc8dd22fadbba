//! Writes Parquet files in the layout of gamma-lab-umd/MMAU-test-mini, and in others.
#![allow(missing_docs, dead_code)]

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

pub const LAYOUT: &str = "message schema {
    optional group context { optional binary bytes; optional binary path (STRING); }
    optional binary instruction (STRING);
    optional group choices (LIST) { repeated group list { optional binary element (STRING); } }
    optional binary answer (STRING);
    optional binary other_attributes (STRING);
}";

/// A row; `None` is null.
#[derive(Clone)]
pub struct Row {
    pub clip: Option<Vec<u8>>,
    pub instruction: Option<String>,
    pub choices: Option<Vec<Option<String>>>,
    pub answer: Option<String>,
    pub attributes: Option<String>,
}

pub fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A whole row.
pub fn row(id: &str) -> Row {
    let attributes = format!(
        r#"{{"id": "{id}", "dataset": "d", "task": "sound", "split": "test-mini", "category": "Reasoning", "sub-category": "s", "difficulty": "easy"}}"#
    );
    Row {
        clip: Some(format!("clip of {id}").into_bytes()),
        instruction: text("What?"),
        choices: Some(vec![text("(A) one"), text("(B) two")]),
        answer: text("(B) two"),
        attributes: Some(attributes),
    }
}

/// Writes rows, so many a row group; `layout` may order or spell the columns otherwise, as long as it has those of [`LAYOUT`].
pub fn write(path: &Path, layout: &str, rows: &[Row], group: usize, compression: Compression) {
    let schema = Arc::new(parse_message_type(layout).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    for rows in rows.chunks(group) {
        let mut group = file.next_row_group().unwrap();
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        // `bytes` and `path` are optional in an optional struct.
        column(&mut group, 2, rows.iter().map(|row| row.clip.clone()));
        column(&mut group, 2, rows.iter().map(|_| None));
        column(&mut group, 1, rows.iter().map(|row| bytes(&row.instruction)));
        lists(&mut group, rows);
        column(&mut group, 1, rows.iter().map(|row| bytes(&row.answer)));
        column(&mut group, 1, rows.iter().map(|row| bytes(&row.attributes)));
        // Columns that the layout does not have are null.
        while let Some(mut column) = group.next_column().unwrap() {
            column.typed::<Int64Type>().write_batch(&[], Some(&vec![0; rows.len()]), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    file.close().unwrap();
}

fn column(group: &mut SerializedRowGroupWriter<'_, File>, whole: i16, cells: impl Iterator<Item = Option<Vec<u8>>>) {
    let cells: Vec<Option<Vec<u8>>> = cells.collect();
    // A clip that is null is null in a struct that is there.
    let levels: Vec<i16> = cells.iter().map(|cell| if cell.is_some() { whole } else { whole - 1 }).collect();
    let values: Vec<ByteArray> = cells.into_iter().flatten().map(ByteArray::from).collect();
    put(group, &values, &levels, None);
}

fn lists(group: &mut SerializedRowGroupWriter<'_, File>, rows: &[Row]) {
    let (mut values, mut levels, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row.choices.as_deref() {
            None | Some([]) => {
                levels.push(i16::from(row.choices.is_some()));
                again.push(0);
            }
            Some(items) => {
                for (place, item) in items.iter().enumerate() {
                    levels.push(if item.is_some() { 3 } else { 2 });
                    again.push(i16::from(place > 0));
                    values.extend(item.as_ref().map(|item| ByteArray::from(item.as_str())));
                }
            }
        }
    }
    put(group, &values, &levels, Some(&again));
}

fn put(group: &mut SerializedRowGroupWriter<'_, File>, values: &[ByteArray], levels: &[i16], again: Option<&[i16]>) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(values, Some(levels), again).unwrap();
    column.close().unwrap();
}

/// A file of these columns without a row.
pub fn empty(path: &Path, layout: &str) {
    let schema = Arc::new(parse_message_type(layout).unwrap());
    let file = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    file.close().unwrap();
}
