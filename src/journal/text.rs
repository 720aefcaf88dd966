//! How values stand in the JSON of the journal's entries.

/// A path as text where it is UTF-8, else as a list of bytes.
pub(super) mod path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    pub(in crate::journal) fn serialize<S: Serializer>(
        path: &Path,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => out.serialize_str(text),
            None => path.as_os_str().as_bytes().serialize(out),
        }
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<PathBuf, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(match Either::deserialize(from)? {
            Either::Text(text) => text.into(),
            Either::Bytes(bytes) => OsString::from_vec(bytes).into(),
        })
    }
}

/// A head as `[length, hash]`.
pub(super) mod head {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::span::Head;

    pub(in crate::journal) fn serialize<S: Serializer>(
        head: &Head,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        (head.len, head.hash).serialize(out)
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Head, D::Error> {
        let (len, hash) = <(u16, u64)>::deserialize(from)?;
        Ok(Head { len, hash })
    }
}

/// A time as its nanoseconds.
pub(super) mod time {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::record::Time;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub(in crate::journal) fn serialize<S: Serializer>(
        time: &Time,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        time.0.serialize(out)
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Time, D::Error> {
        i64::deserialize(from).map(Time)
    }
}
