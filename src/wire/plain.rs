//! Messages as plain data: how serde writes [`Message`] and [`Value`], so that a recording can be read and searched
//! by people. `[["t","status"],["st","active"],["srcuuid",{"binary":"…"}]]`; bytes are base64. Never goes on a
//! wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::message::{Field, Message, Value};

/// A [`Value`] as serde writes it: UTF-8 text as it is, everything else under the name of its kind.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Plain {
    Text(String),
    Other(TaggedValue),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TaggedValue {
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
                Err(error) => TaggedValue::Text(bytes(error.into_bytes())),
            },
            Value::Binary(binary) => TaggedValue::Binary(bytes(binary)),
            Value::Struct(message) => TaggedValue::Struct(message),
            Value::List(elements) => TaggedValue::List(elements.into_iter().map(bytes).collect()),
            Value::Compressed(compressed) => TaggedValue::Compressed(bytes(compressed)),
            Value::Uncompressed(message) => TaggedValue::Uncompressed(message),
        })
    }
}

impl TryFrom<Plain> for Value {
    type Error = base64::DecodeError;

    fn try_from(plain: Plain) -> Result<Value, base64::DecodeError> {
        let bytes = |text: String| BASE64_STANDARD.decode(text);
        Ok(match plain {
            Plain::Text(text) => Value::Text(text.into_bytes()),
            Plain::Other(TaggedValue::Text(text)) => Value::Text(bytes(text)?),
            Plain::Other(TaggedValue::Binary(binary)) => Value::Binary(bytes(binary)?),
            Plain::Other(TaggedValue::Struct(message)) => Value::Struct(message),
            Plain::Other(TaggedValue::List(elements)) => {
                Value::List(elements.into_iter().map(bytes).collect::<Result<_, _>>()?)
            }
            Plain::Other(TaggedValue::Compressed(compressed)) => Value::Compressed(bytes(compressed)?),
            Plain::Other(TaggedValue::Uncompressed(message)) => Value::Uncompressed(message),
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Plain::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        Plain::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.name, &self.value).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field, D::Error> {
        let (name, value) = Deserialize::deserialize(deserializer)?;
        Ok(Field { name, value })
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
