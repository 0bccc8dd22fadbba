//! Keys of one JSON object, with every problem collected.

use serde_json::Value;

/// Reads keys of one JSON object, collecting every problem.
pub(super) struct Reader<'a> {
    pub file: &'a str,
    pub at: &'static str,
    pub object: &'a Value,
    pub problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    pub fn wrong(&mut self, key: &str, expected: &str, found: &Value) {
        self.problems.push(format!("{}: {}{key}: expected {expected}, found {found}", self.file, self.at));
    }

    pub fn int(&mut self, key: &str, default: Option<i64>) -> i64 {
        match (self.object.get(key), default) {
            (Some(v), _) if v.as_i64().is_some_and(|n| n > 0) => v.as_i64().unwrap_or_default(),
            (None | Some(Value::Null), Some(n)) => n,
            (v, _) => {
                let found = v.cloned().unwrap_or(Value::Null);
                self.wrong(key, "a positive integer", &found);
                1
            }
        }
    }

    pub fn float(&mut self, key: &str, default: f64) -> f64 {
        match self.object.get(key) {
            None | Some(Value::Null) => default,
            Some(v) => v.as_f64().filter(|x| *x > 0.0).unwrap_or_else(|| {
                self.wrong(key, "a positive number", v);
                default
            }),
        }
    }

    /// A setting that must be there, with the one value that is implemented.
    pub fn required(&mut self, key: &str, value: &Value) {
        match self.object.get(key) {
            None => self.wrong(key, &format!("{value} (nothing else is implemented)"), &Value::Null),
            Some(_) => self.only(key, value),
        }
    }

    /// A setting of which only one value is implemented.
    pub fn only(&mut self, key: &str, value: &Value) {
        if let Some(found) = self.object.get(key)
            && !found.is_null()
            && !same(found, value)
        {
            self.wrong(key, &format!("{value} (nothing else is implemented)"), found);
        }
    }
}

/// Equal, numbers by their value: 0 is 0.0.
fn same(found: &Value, value: &Value) -> bool {
    match (found.as_f64(), value.as_f64()) {
        (Some(found), Some(value)) => found == value,
        _ => found == value,
    }
}
