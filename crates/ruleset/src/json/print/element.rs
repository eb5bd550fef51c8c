//! Elements of sets and maps as JSON.

use serde_json::{Value as Json, json};

use super::{Printer, Release, seconds};
use crate::ir::{Data, DataKind, Element, Elements, Key, KeyType, Packed};

impl Printer {
    /// The elements in the order in which that release lists them.
    pub(super) fn elements(self, elements: &Elements, key: &KeyType, kind: &DataKind, interval: bool) -> Vec<Json> {
        let ordered = match self.release {
            Release::V1_0 => elements.by_last_byte(key, interval),
            Release::V1_1 => elements.by_start(),
        };
        ordered.into_iter().map(|element| self.element(element, key, kind)).collect()
    }

    /// An element: its key, or key and data in an array of two.
    fn element(self, element: &Element, key: &KeyType, kind: &DataKind) -> Json {
        let name = self.element_key(element, key);
        match &element.data {
            Data::None => name,
            Data::Verdict(verdict) => json!([name, super::statement::verdict(verdict)]),
            Data::Object(object) => json!([name, object.as_str()]),
            Data::Value(packed) => json!([name, self.data(packed, kind)]),
        }
    }

    fn data(self, packed: &Packed, kind: &DataKind) -> Json {
        let DataKind::Value { data, interval } = kind else {
            return packed.to_string().into();
        };
        if *interval {
            let (start, end) = packed.split_at(packed.len() / 2);
            return self.key(&Key::range(start, end), data);
        }
        self.key(&Key::Value(packed.clone()), data)
    }

    /// The key, in an `elem` object where the element has more than a key.
    fn element_key(self, element: &Element, key: &KeyType) -> Json {
        let value = self.key(&element.key, key);
        let Some(extra) = &element.extra else {
            return value;
        };
        let mut object = serde_json::Map::new();
        object.insert("val".into(), value);
        if let Some(timeout) = extra.timeout_ms {
            object.insert("timeout".into(), seconds(timeout));
        }
        if let Some(expires) = extra.expires_ms {
            object.insert("expires".into(), seconds(expires));
        }
        if let Some(comment) = &extra.comment {
            object.insert("comment".into(), comment.as_str().into());
        }
        for statement in &extra.statements {
            if let Json::Object(statement) = self.statement(statement) {
                object.extend(statement);
            }
        }
        json!({ "elem": object })
    }

    fn key(self, key: &Key, types: &KeyType) -> Json {
        self.expression(&types.expression_of(key))
    }
}
