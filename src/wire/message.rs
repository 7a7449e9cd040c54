//! The message model: an ordered list of named, typed fields (01 §1.1).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::Malformed;

/// An ordered list of fields. Order is kept by encode and decode and is part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message {
    fields: Vec<Field>,
}

/// One named, typed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Non-empty; never contains `=` or NUL and, for classic text, neither LF nor a leading `(`.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// A field's value; the variants are the wire types 0 to 5 (01 §1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Type 0: bytes without NUL.
    Text(Vec<u8>),
    /// Type 1: any bytes.
    Binary(Vec<u8>),
    /// Type 2: a nested message.
    Struct(Message),
    /// Type 3: non-empty strings without NUL.
    List(Vec<Vec<u8>>),
    /// Type 4: a nested message, compressed.
    Compressed(Vec<u8>),
    /// Type 5: a nested message to be compressed when sent.
    Uncompressed(Message),
}

impl Message {
    /// A message of type `kind`: its first field is `t`.
    pub fn new(kind: &str) -> Self {
        let mut message = Message::default();
        message.set_text("t", kind);
        message
    }

    /// The fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The type (`t`), if it is there and is UTF-8.
    pub fn kind(&self) -> Option<&str> {
        self.text("t")
    }

    /// The first field called `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// The first field called `name`, if it is text and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The first field called `name`, if it is binary.
    pub fn binary(&self, name: &str) -> Option<&[u8]> {
        match self.get(name) {
            Some(Value::Binary(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Appends a field, whether or not one of that name exists.
    pub fn push(&mut self, name: &str, value: Value) {
        self.fields.push(Field { name: name.to_owned(), value });
    }

    /// Replaces the first field of that name in place, or appends (01 §1.5.1, "set").
    pub fn set(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.value = value,
            None => self.push(name, value),
        }
    }

    /// [`Message::set`] with text.
    pub fn set_text(&mut self, name: &str, text: &str) {
        self.set(name, Value::Text(text.as_bytes().to_vec()));
    }

    /// [`Message::set_text`] for chaining while a message is built.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.set_text(name, text);
        self
    }

    /// Removes every field called `name`.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|field| field.name != name);
    }
}

/// Collects the fields of a message that is being decoded and merges its lists (01 §1.1).
#[derive(Default)]
pub(super) struct Builder {
    message: Message,
    /// Where each name came first. Made at the first list only, so that ordinary messages do not pay for it, and a
    /// message of nothing but lists takes linear time.
    first: Option<HashMap<String, usize>>,
}

impl Builder {
    /// Appends a field. A list joins the first field of its name, which must be a list too.
    pub fn push(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        if matches!(value, Value::List(_)) && self.first.is_none() {
            let mut first = HashMap::new();
            for (at, field) in self.message.fields.iter().enumerate() {
                first.entry(field.name.clone()).or_insert(at);
            }
            self.first = Some(first);
        }
        if let Some(first) = &mut self.first {
            match (first.get(name), &value) {
                (Some(&at), Value::List(more)) => {
                    let Some(Value::List(elements)) = self.message.fields.get_mut(at).map(|field| &mut field.value)
                    else {
                        return Err(Malformed::List);
                    };
                    elements.extend_from_slice(more);
                    return Ok(());
                }
                (Some(_), _) => {}
                (None, _) => {
                    first.insert(name.to_owned(), self.message.fields.len());
                }
            }
        }
        self.message.push(name, value);
        Ok(())
    }

    /// The message.
    pub fn finish(self) -> Message {
        self.message
    }
}
