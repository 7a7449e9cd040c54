//! Messages as plain data: how serde writes [`Message`] and [`Value`], so that a recording can be read and searched by
//! people. `[["t","status"],["st","active"],["srcuuid",{"binary":"…"}]]`; bytes are base64. Never goes on a wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::message::{Field, Message, Value};

/// A [`Value`] as serde writes it: UTF-8 text as it is, everything else under the name of its kind.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Plain {
    Text(String),
    Other(Kind),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Text that is not UTF-8.
    Text(String),
    Binary(String),
    Struct(Message),
    List(Vec<String>),
    Compressed(String),
    Uncompressed(Message),
}

impl From<Value> for Plain {
    fn from(value: Value) -> Plain {
        let bytes = |bytes: Vec<u8>| BASE64_STANDARD.encode(bytes);
        Plain::Other(match value {
            Value::Text(text) => match String::from_utf8(text) {
                Ok(text) => return Plain::Text(text),
                Err(error) => Kind::Text(bytes(error.into_bytes())),
            },
            Value::Binary(binary) => Kind::Binary(bytes(binary)),
            Value::Struct(message) => Kind::Struct(message),
            Value::List(elements) => Kind::List(elements.into_iter().map(bytes).collect()),
            Value::Compressed(compressed) => Kind::Compressed(bytes(compressed)),
            Value::Uncompressed(message) => Kind::Uncompressed(message),
        })
    }
}

impl TryFrom<Plain> for Value {
    type Error = base64::DecodeError;

    fn try_from(plain: Plain) -> Result<Value, base64::DecodeError> {
        let bytes = |text: String| BASE64_STANDARD.decode(text);
        Ok(match plain {
            Plain::Text(text) => Value::Text(text.into_bytes()),
            Plain::Other(Kind::Text(text)) => Value::Text(bytes(text)?),
            Plain::Other(Kind::Binary(binary)) => Value::Binary(bytes(binary)?),
            Plain::Other(Kind::Struct(message)) => Value::Struct(message),
            Plain::Other(Kind::List(elements)) => {
                Value::List(elements.into_iter().map(bytes).collect::<Result<_, _>>()?)
            }
            Plain::Other(Kind::Compressed(compressed)) => Value::Compressed(bytes(compressed)?),
            Plain::Other(Kind::Uncompressed(message)) => Value::Uncompressed(message),
        })
    }
}

impl From<Field> for (String, Value) {
    fn from(field: Field) -> (String, Value) {
        (field.name, field.value)
    }
}

impl From<(String, Value)> for Field {
    fn from((name, value): (String, Value)) -> Field {
        Field { name, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_well_and_comes_back_as_it_was() {
        let mut message = Message::new("status").with("st", "active");
        message.push("srcuuid", Value::Binary(vec![0, 255]));
        message.push("odd", Value::Text(vec![0xff]));
        message.push("list", Value::List(vec![b"a".to_vec(), vec![0xfe]]));
        message.push("inner", Value::Struct(Message::new("x")));
        message.push("packed", Value::Compressed(vec![1]));
        message.push("big", Value::Uncompressed(Message::new("y")));
        let json = serde_json::to_string(&message).unwrap();
        assert!(json.starts_with(r#"[["t","status"],["st","active"],["srcuuid",{"binary":"AP8="}],"#), "{json}");
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }
}
