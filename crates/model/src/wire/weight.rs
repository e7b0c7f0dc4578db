//! How much memory a document takes, known before it is read.
//!
//! Nearly all facts of a process or namespace are optional, so a document spends 13 bytes on what
//! takes hundreds in memory. This module counts the things in a document first and refuses one that
//! lists too many for its size. What lxkns writes is far from that.
//!
//! The weights are upper bounds for the moment when most exists: the objects of the document, and
//! what becomes of them. A test holds them against the memory of a process that reads.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{ALWAYS, Error, MAX_EXPANSION};

const PROCESS: usize = 380;
const THREAD: usize = 330;
/// What it takes in addition if it stands under a key, as in the format of lxkns.
const BY_KEY: usize = 160;
/// A namespace, listed or only mentioned.
const NAMESPACE: usize = 520;
const HOLDER: usize = 260;
const GAP: usize = 320;
const MOUNT: usize = 440;
/// A text, besides its bytes, and what it takes in addition to be in a list.
const TEXT: usize = 32;
const IN_LIST: usize = 32;
const NUMBER: usize = 8;
/// Any other object.
const OTHER: usize = 48;

/// Refuses a document that would take too much memory.
pub(super) fn check(document: &[u8]) -> Result<(), Error> {
    check_beyond(ALWAYS, document)
}

/// Refuses one that takes too much for its size, and more than this.
fn check_beyond(always: usize, document: &[u8]) -> Result<(), Error> {
    let most = document.len().saturating_mul(MAX_EXPANSION).max(always);
    let mut scale = Scale {
        left: most.saturating_sub(document.len()),
        is_over: false,
        hasher: RandomState::new(),
        mentioned: HashSet::new(),
    };
    let mut values = serde_json::Deserializer::from_slice(document);
    // A document of lines has a value in each.
    loop {
        let weighed = Value { scale: &mut scale, key: Key::Top }.deserialize(&mut values);
        if scale.is_over {
            return Err(Error::TooDense { bytes: document.len() });
        }
        // The reader refuses what is malformed, and tells its place.
        if weighed.is_err() || values.end().is_ok() {
            return Ok(());
        }
    }
}

/// What has been weighed so far.
struct Scale {
    left: usize,
    is_over: bool,
    hasher: RandomState,
    /// Hashes of the namespaces mentioned: each exists once, however often a document mentions it.
    mentioned: HashSet<u64>,
}

impl Scale {
    fn add<E: serde::de::Error>(&mut self, weight: usize) -> Result<(), E> {
        match self.left.checked_sub(weight) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.is_over = true;
                Err(E::custom("too much"))
            }
        }
    }

    fn mention<E: serde::de::Error>(&mut self, namespace: impl Hash) -> Result<(), E> {
        if self.note(namespace) { self.add(NAMESPACE) } else { Ok(()) }
    }

    /// Whether this is the first time.
    fn note(&mut self, namespace: impl Hash) -> bool {
        self.mentioned.insert(self.hasher.hash_one(namespace))
    }
}

/// What a value is, by the key that it stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// The document, or a line of it: any of the objects below.
    Top,
    Processes,
    Process,
    /// A list of namespaces, or those of a process.
    Namespaces,
    /// A namespace: an object, or the id or inode of one that is mentioned.
    Namespace,
    /// The id or inode of the one that is listed.
    Id,
    Threads,
    Thread,
    Holders,
    Holder,
    Gaps,
    Gap,
    Mounts,
    Mount,
    /// A list of texts, and one of those.
    Texts,
    Text,
    /// Names, ids or letters, which take no memory besides that of the object.
    Names,
    Other,
}

impl Key {
    fn named(name: &str) -> Key {
        match name {
            "processes" => Key::Processes,
            "namespaces" => Key::Namespaces,
            "id" | "nsid" => Key::Id,
            "owner" | "parent" => Key::Namespace,
            "threads" | "tasks" => Key::Threads,
            "holders" => Key::Holders,
            "gaps" => Key::Gaps,
            "mounts" => Key::Mounts,
            "cmdline" | "cmdline-bytes" | "examples" | "examples-bytes" | "reference" => Key::Texts,
            "effective-capabilities" | "state" | "type" | "mount-namespace" | "holds" => Key::Names,
            _ => Key::Other,
        }
    }

    /// What the elements of such a list are; `None` if it is none.
    fn element(self) -> Option<Key> {
        match self {
            Key::Processes => Some(Key::Process),
            Key::Namespaces => Some(Key::Namespace),
            Key::Threads => Some(Key::Thread),
            Key::Holders => Some(Key::Holder),
            Key::Gaps => Some(Key::Gap),
            Key::Mounts => Some(Key::Mount),
            Key::Texts => Some(Key::Text),
            _ => None,
        }
    }

    /// The weight of such an object.
    fn weight(self) -> usize {
        match self {
            Key::Top | Key::Process => PROCESS,
            Key::Namespace => NAMESPACE,
            Key::Thread => THREAD,
            Key::Holder => HOLDER,
            Key::Gap => GAP,
            Key::Mount => MOUNT,
            _ => OTHER,
        }
    }
}

/// The key of a value, and its length.
struct Name(Key, usize);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(Key::named(name), name.len()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A value in a document.
struct Value<'w> {
    scale: &'w mut Scale,
    key: Key,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scale.add(NUMBER)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scale.add(NUMBER)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        match self.key {
            Key::Namespace => self.scale.mention(number),
            Key::Id => {
                self.scale.note(number);
                self.scale.add(NUMBER)
            }
            _ => self.scale.add(NUMBER),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match self.key {
            Key::Namespace => self.scale.mention(text),
            Key::Id => {
                self.scale.note(text);
                self.scale.add(NUMBER)
            }
            Key::Names => Ok(()),
            Key::Text => self.scale.add(IN_LIST + TEXT + text.len()),
            _ => self.scale.add(TEXT + text.len()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Value { scale, key } = self;
        let key = key.element().unwrap_or(key);
        while seq.next_element_seed(Value { scale: &mut *scale, key })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Value { scale, key } = self;
        let element = key.element();
        if element.is_none() {
            scale.add(key.weight())?;
        }
        while let Some(Name(named, length)) = map.next_key()? {
            if key == Key::Processes {
                scale.add(BY_KEY + length)?;
            }
            let key = element.unwrap_or(named);
            map.next_value_seed(Value { scale: &mut *scale, key })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITTLE: usize = 600_000;

    /// Whether a document with a list of such elements is refused, if it is not too little to
    /// matter.
    #[track_caller]
    fn check_list(before: &str, element: &str, after: &str, is_refused: bool) {
        let count = LITTLE / MAX_EXPANSION / (element.len() + 1) + 1;
        let document = format!("{before}{}{after}", vec![element; count].join(","));
        assert_eq!(check_beyond(LITTLE, document.as_bytes()).is_err(), is_refused, "{element}");
        let few = format!("{before}{}{after}", vec![element; 500].join(","));
        assert!(check_beyond(LITTLE, few.as_bytes()).is_ok(), "{element}");
    }

    #[test]
    fn dense_lists_are_refused() {
        let in_process = |list: &str| format!(r#"{{"processes":[{{"pid":1,"{list}":["#);
        check_list(r#"{"processes":["#, r#"{"pid":12345}"#, "]}", true);
        check_list(r#"{"processes":["#, r#"{"pid":12345,"ppid":2,"comm":"x"}"#, "]}", true);
        check_list(r#"{"namespaces":["#, r#"{"id":"net:[1]"}"#, "]}", true);
        check_list(r#"{"gaps":["#, r#"{"what":"a","why":"b","count":1}"#, "]}", true);
        check_list(&in_process("threads"), r#"{"tid":12345}"#, "]}]}", true);
        check_list(&in_process("cmdline"), r#""x""#, "]}]}", true);
        let mount =
            r#"{"mount-namespace":"mnt:[1]","id":12345,"parent":1,"path":"","device":1,"root":""}"#;
        check_list(r#"{"mounts":["#, mount, "]}", true);
        let holders = r#"{"namespaces":[{"holders":["#;
        check_list(holders, r#"{"kind":"unseen"}"#, "]}]}", true);
    }

    #[test]
    fn lists_as_lxkns_writes_them_are_not() {
        let process = r#"{"pid":4711,"ppid":2,"comm":"kworker/0:1","start-time":12345,"state":"I",
            "kernel-thread":true,"pids":[4711],"namespaces":{}}"#;
        check_list(r#"{"processes":["#, process, "]}", false);
        let mount = r#"{"mount-namespace":"mnt:[4026531841]","id":214,"unique-id":4294967510,
            "parent":31,"path":"/run/netns/blue","device":4,"root":"net:[4026532281]",
            "peer-group":8,"holds":"net:[4026532281]"}"#;
        check_list(r#"{"mounts":["#, mount, "]}", false);
        // The same namespaces again and again.
        let process = r#"{"pid":4711,"ppid":1,"comm":"server","cmdline":["server","--port","80"],
            "start-time":12345,"state":"S","euid":0,"effective-capabilities":["cap_chown","cap_kill"],
            "pids":[4711],"cgroup":"/","namespaces":{"net":"net:[4026531840]"}}"#;
        check_list(r#"{"processes":["#, process, "]}", false);
        let thread = r#"{"tid":12345,"comm":"worker","start-time":12345,
            "namespaces":{"mnt":"mnt:[4026531841]","net":"net:[4026531840]"}}"#;
        check_list(r#"{"processes":[{"pid":1,"threads":["#, thread, "]}]}", false);
    }
}
