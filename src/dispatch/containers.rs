//! What the path of a container's log says of the container. Kubernetes names them
//! `…/containers/POD_NAMESPACE_CONTAINER-ID.log`, which are links, and
//! `…/pods/NAMESPACE_POD_UID/CONTAINER/0.log`, wherever the node's folder of logs is mounted.
//! Opens nothing.

use std::path::Path;

/// The digits of a container's id.
const ID_LEN: usize = 64;
/// Most characters in the name of a pod, of a namespace and of a container.
const MAX_POD: usize = 253;
const MAX_LABEL: usize = 63;

/// Whose log a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container<'a> {
    /// `{namespace}`.
    pub(crate) namespace: &'a str,
    /// `{pod}`.
    pub(crate) pod: &'a str,
    /// `{container}`.
    pub(crate) name: &'a str,
}

impl<'a> Container<'a> {
    /// The container whose log has this path, if it is one.
    pub(crate) fn of(path: &'a Path) -> Option<Self> {
        let mut parts = path.iter().rev().map(|part| part.to_str());
        let (file, folder, above, pods) =
            (parts.next()??, parts.next()??, parts.next(), parts.next());
        let found = if folder == "containers" {
            by_link(file)
        } else if pods == Some(Some("pods")) {
            by_folders(above??, folder, file)
        } else {
            None
        };
        found.filter(Self::is_sound)
    }

    /// What a name in a template stands for.
    pub(super) fn value_of(&self, name: &str) -> Option<&'a str> {
        match name {
            "namespace" => Some(self.namespace),
            "pod" => Some(self.pod),
            "container" => Some(self.name),
            _ => None,
        }
    }

    fn is_sound(&self) -> bool {
        is_name(self.pod, MAX_POD, true)
            && is_name(self.namespace, MAX_LABEL, false)
            && is_name(self.name, MAX_LABEL, false)
    }
}

/// `POD_NAMESPACE_CONTAINER-ID.log`: no `_` is in any of them, and no `-` in the id.
fn by_link(file: &str) -> Option<Container<'_>> {
    let (stem, id) = file.strip_suffix(".log")?.rsplit_once('-')?;
    let is_id = id.len() == ID_LEN && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (pod, rest) = stem.split_once('_')?;
    let (namespace, name) = rest.split_once('_')?;
    is_id.then_some(Container {
        namespace,
        pod,
        name,
    })
}

/// `NAMESPACE_POD_UID/CONTAINER/0.log`, or a rotated one: `0.log.20261122-220823.gz`.
fn by_folders<'a>(of_pod: &'a str, name: &'a str, file: &str) -> Option<Container<'a>> {
    let (namespace, rest) = of_pod.split_once('_')?;
    let (pod, uid) = rest.split_once('_')?;
    let (restarts, behind) = file.split_once('.')?;
    let is_log = behind == "log" || behind.starts_with("log.");
    let is_number = !restarts.is_empty() && restarts.bytes().all(|byte| byte.is_ascii_digit());
    let is_uid = !uid.is_empty()
        && uid
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-');
    (is_log && is_number && is_uid).then_some(Container {
        namespace,
        pod,
        name,
    })
}

/// Whether it is a name as Kubernetes gives them.
fn is_name(text: &str, most: usize, may_have_points: bool) -> bool {
    let is_sign = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || byte == b'-'
            || (may_have_points && byte == b'.')
    };
    (1..=most).contains(&text.len()) && text.bytes().all(is_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_container_s_log_names_it_and_no_other_path_does() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "8a9ac0a2-8f6b-4b9b-9d43-0d7c8e4f3c11";
        let link = |stem: &str| format!("/var/log/containers/{stem}-{id}.log");
        let found = |namespace, pod, name| {
            Some(Container {
                namespace,
                pod,
                name,
            })
        };
        for (path, expected) in [
            (
                link("web-7d4b9c-x2x_shop_nginx"),
                found("shop", "web-7d4b9c-x2x", "nginx"),
            ),
            (
                link("kafka-0.internal_data-eu_side-car-2"),
                found("data-eu", "kafka-0.internal", "side-car-2"),
            ),
            (
                format!("/host/var/log/pods/shop_web-7d4_{uid}/nginx/0.log"),
                found("shop", "web-7d4", "nginx"),
            ),
            (
                format!("/var/log/pods/kube-system_etcd-a_{}/etcd/12.log", &id[..32]),
                found("kube-system", "etcd-a", "etcd"),
            ),
            (
                format!("/var/log/pods/shop_web_{uid}/nginx/0.log.20261122-220823.gz"),
                found("shop", "web", "nginx"),
            ),
            (link("web_shop"), None),
            (link("Web_shop_nginx"), None),
            (link("web_shop_ng_inx"), None),
            (link("web_sh.op_nginx"), None),
            (
                format!("/var/log/containers/web_shop_nginx-{}.log", &id[1..]),
                None,
            ),
            (format!("/var/log/app/web_shop_nginx-{id}.log"), None),
            (format!("/var/log/pods/shop_web_{uid}/nginx/app.log"), None),
            (format!("/var/log/pods/shop_web_{uid}/0.log"), None),
            (format!("/var/log/pod/shop_web_{uid}/nginx/0.log"), None),
            ("/0.log".to_owned(), None),
            ("/".to_owned(), None),
        ] {
            assert_eq!(Container::of(Path::new(&path)), expected, "{path}");
        }
    }
}
