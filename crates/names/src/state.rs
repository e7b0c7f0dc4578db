//! State files of engines: the name of a container, by its ID.

use lxkns_model::Text;
use serde::Deserialize;

/// The entry of a container in its engine's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The ID of the container.
    pub id: Text,
    /// Its name now.
    pub name: Text,
    /// The name of its image.
    pub image: Option<Text>,
}

/// The entry in Docker's `containers/ID/config.v2.json`; `None` if malformed.
///
/// ```
/// let file = br#"{"ID":"ed10b3","Name":"/web","Config":{"Image":"nginx:1"}}"#;
/// let entry = lxkns_names::state::docker(file).unwrap();
/// assert_eq!(entry.name.to_str(), Some("web"));
/// ```
pub fn docker(file: &[u8]) -> Option<Entry> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct File {
        #[serde(rename = "ID")]
        id: String,
        name: String,
        #[serde(default)]
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        #[serde(default)]
        image: Option<String>,
    }
    let File { id, name, config } = serde_json::from_slice(file).ok()?;
    let name = name.strip_prefix('/').unwrap_or(&name);
    let image = config.and_then(|config| config.image).filter(|image| !image.is_empty());
    let is_whole = !id.is_empty() && !name.is_empty();
    is_whole.then(|| Entry { id: id.into(), name: name.into(), image: image.map(Text::from) })
}

/// The entries in the `overlay-containers/containers.json` of containers/storage, which podman,
/// CRI-O and buildah use; `None` if malformed. A container without a name has no entry.
///
/// ```
/// let file = br#"[{"id":"877092","names":["web"],"metadata":"{\"image-name\":\"nginx:1\"}"}]"#;
/// let entries = lxkns_names::state::containers_storage(file).unwrap();
/// assert_eq!(entries[0].name.to_str(), Some("web"));
/// assert_eq!(entries[0].image.as_ref().unwrap().to_str(), Some("nginx:1"));
/// ```
pub fn containers_storage(file: &[u8]) -> Option<Vec<Entry>> {
    #[derive(Deserialize)]
    struct Container {
        id: String,
        #[serde(default)]
        names: Option<Vec<String>>,
        /// A document in the document.
        #[serde(default)]
        metadata: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Metadata {
        #[serde(default)]
        image_name: Option<String>,
    }
    let containers: Vec<Container> = serde_json::from_slice(file).ok()?;
    let entry = |container: Container| {
        let name = container.names?.into_iter().next().filter(|name| !name.is_empty())?;
        let metadata = container.metadata.unwrap_or_default();
        let metadata = serde_json::from_str::<Metadata>(&metadata).ok();
        let image = metadata.and_then(|metadata| metadata.image_name);
        let image = image.filter(|image| !image.is_empty()).map(Text::from);
        Some(Entry { id: container.id.into(), name: name.into(), image })
    };
    Some(containers.into_iter().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_may_lack_all_but_id_and_name() {
        let docker = |file: &str| docker(file.as_bytes()).map(|it| it.name);
        assert_eq!(docker(r#"{"ID":"1","Name":"web"}"#), Some("web".into()));
        assert_eq!(docker(r#"{"ID":"1","Name":"/web","Config":null}"#), Some("web".into()));
        assert_eq!(docker(r#"{"ID":"1","Name":"/"}"#), None);
        assert_eq!(docker(r#"{"Name":"/web"}"#), None);
        assert_eq!(docker(r#"{"ID":1,"Name":"/web"}"#), None);
        assert_eq!(docker("["), None);

        let podman = |file: &str| {
            let entries = containers_storage(file.as_bytes())?;
            Some(entries.into_iter().map(|it| it.name).collect::<Vec<_>>())
        };
        assert_eq!(
            podman(r#"[{"id":"1"},{"id":"2","names":["a","b"],"metadata":"nonsense"}]"#),
            Some(vec!["a".into()])
        );
        assert_eq!(podman(r#"[{"id":"1","names":null},{"id":"2","names":[]}]"#), Some(vec![]));
        assert_eq!(podman(r#"{"id":"1"}"#), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = (docker(&bytes), containers_storage(&bytes));
        }
    }
}
